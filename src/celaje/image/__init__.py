"""The image service (OpenStack's Glance): REST only; its data lies in stores."""
