"""Keys of encrypted volumes' images."""

from celaje.volume.conductor.reclaim_image_keys import remember
from celaje.volume.db.tables import IMAGE_KEYS, KEYS
from tests.cloud import Answer
from tests.crash.story import Made, Story, promise


class ReclaimImageKey:
    """Its image is deleted; the sweep that each life makes looks for it, now."""

    def prepare(self, story: Story) -> Made:
        service, image = story.lives.cloud.running["volume"], story.new_image(b"encrypted" * 1000)
        key = service.database.write(lambda tx: service.keys.create(tx, None, 256))
        service.database.write(lambda tx: remember(tx, key, image))
        story.image.delete(f"/v2/images/{image}").ok(204)
        return {}

    def act(self, story: Story, made: Made) -> Answer:
        self.settle(story)
        return Answer(202, {}, None)

    def settle(self, story: Story) -> None:
        story.expire(IMAGE_KEYS)
        story.lives.cloud.running["volume"].conductor.sweep()
        story.quiet()

    def kept(self, story: Story, made: Made) -> None:
        database = story.lives.cloud.running["volume"].database
        left = [database.read(lambda tx, each=each: tx.execute(each.select()).fetchall()) for each in TABLES]
        promise(left == [[], []], "no key without its image", left)

    def never(self, story: Story, made: Made) -> bool:
        return False


TABLES = (KEYS, IMAGE_KEYS)
