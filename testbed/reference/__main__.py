"""`python -m testbed.reference`: write the reference pages."""

from testbed.reference import DIRECTORY, reference_pages

if __name__ == "__main__":
    for name, text in reference_pages().items():
        (DIRECTORY / name).write_text(text)
        print(DIRECTORY / name)
