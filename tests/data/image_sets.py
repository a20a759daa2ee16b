"""Sets of images that the tests of stores share."""

from vernier.data.images import FileImages, Images


def files(root):
    keys = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.jpg"))
    return FileImages(root, keys, 3, 178_956_970)


class CountingImages(Images):
    """Wraps images and counts how often they are decoded."""

    def __init__(self, images):
        self.images, self.channels, self.reads = images, images.channels, 0

    def __len__(self):
        return len(self.images)

    def key(self, index):
        return self.images.key(index)

    def path(self, index):
        return self.images.path(index)

    def content(self, index):
        self.reads += 1
        return self.images.content(index)

    def decode(self, index, content):
        return self.images.decode(index, content)

    @property
    def decoding(self):
        return self.images.decoding

    def size(self, index):
        return self.images.size(index)

    def fingerprint(self):
        return self.images.fingerprint()
