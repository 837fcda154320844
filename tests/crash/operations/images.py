"""Images: imported, copied, told where they lie, deleted."""

import gzip
import hashlib

from tests.cloud import Answer
from tests.crash.story import WEB, Made, Story, promise


class ImportStagedImage:
    """Into two stores."""

    before = "uploading"

    def prepare(self, story: Story) -> Made:
        return {"image": story.new_image(stage=b"staged" * 1000)}

    def act(self, story: Story, made: Made) -> Answer:
        return story.ask_for_import(made["image"], "glance-direct", all_stores=True)

    def kept(self, story: Story, made: Made) -> None:
        image = story.show_image(made["image"])
        promise((image["status"], image["stores"]) == ("active", "fast,cheap"), "an active image", image)
        data = story.image.get(f"/v2/images/{made['image']}/file").body
        promise(hashlib.sha512(data).hexdigest() == image["os_hash_value"], "its data", len(data))

    def never(self, story: Story, made: Made) -> bool:
        image = story.show_image(made["image"])
        if image["status"] == "uploading":
            # The staged data waits for its import, as it may for a week: not what this looks at.
            story.image.delete(f"/v2/images/{made['image']}").ok(204)
        return image["status"] == self.before


class ImportImageFromTheWeb(ImportStagedImage):
    """Compressed, so that it is unpacked on its way."""

    before = "queued"

    def prepare(self, story: Story) -> Made:
        WEB.pages["/image"] = gzip.compress(b"web" * 1000)
        return {"image": story.new_image()}

    def act(self, story: Story, made: Made) -> Answer:
        method = {"uri": f"{WEB.url}/image"}
        return story.ask_for_import(made["image"], "web-download", method=method, all_stores=True)


class CopyImage(ImportStagedImage):
    def prepare(self, story: Story) -> Made:
        return {"image": story.new_image(b"copied" * 1000)}

    def act(self, story: Story, made: Made) -> Answer:
        return story.ask_for_import(made["image"], "copy-image", stores=["cheap"])

    def never(self, story: Story, made: Made) -> bool:
        image = story.show_image(made["image"])
        return (image["status"], image["stores"]) == ("active", "fast")


class AddLocation(ImportImageFromTheWeb):
    def prepare(self, story: Story) -> Made:
        WEB.pages["/image"] = b"web" * 1000
        return {"image": story.new_image()}

    def act(self, story: Story, made: Made) -> Answer:
        path = f"/v2/images/{made['image']}/locations"
        return story.image.post(path, {"url": f"{WEB.url}/image"})

    def kept(self, story: Story, made: Made) -> None:
        image = story.show_image(made["image"])
        found = (image["status"], image["stores"], image["os_hash_value"])
        promise(
            found == ("active", "web", hashlib.sha512(b"web" * 1000).hexdigest()), "an active image", image
        )


class ImportImageByTask:
    def prepare(self, story: Story) -> Made:
        WEB.pages["/image"] = b"web" * 1000
        return {}

    def act(self, story: Story, made: Made) -> Answer:
        given = {
            "import_from": f"{WEB.url}/image",
            "import_from_format": "raw",
            "image_properties": {"name": "tasked"},
        }
        return story.image.post("/v2/tasks", {"type": "import", "input": given})

    def kept(self, story: Story, made: Made) -> None:
        found = [image["status"] for image in story.images() if image["name"] == "tasked"]
        promise(found == ["active"], "one image", found)

    def never(self, story: Story, made: Made) -> bool:
        return len(story.images()) == 1


class DeleteImage:
    def prepare(self, story: Story) -> Made:
        return {"image": story.new_image(b"deleted" * 1000)}

    def act(self, story: Story, made: Made) -> Answer:
        return story.image.delete(f"/v2/images/{made['image']}")

    def kept(self, story: Story, made: Made) -> None:
        promise(story.show_image(made["image"]) is None, "deleted", story.show_image(made["image"]))

    def never(self, story: Story, made: Made) -> bool:
        image = story.show_image(made["image"])
        return image is not None and image["status"] == "active"
