"""A recorded run as a page."""
from coordinator.telemetry.story import Story
def page_of(story: Story) -> str:
    return ""
