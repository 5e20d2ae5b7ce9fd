"""Log text as bad as it comes, for property tests."""

from hypothesis import strategies as st

NASTY = [
    "<!channel>", "<!here|x>", "<@U123>", "<https://evil.example|bank>", "&lt;!channel&gt;", "&amp;", "&",
    "```",    "````", "`", "~~~", "\u202e", "\u2066", "\u200b", "\x1b[31m", "\x00", "\r\n", "\r",
    "\u2028", "\ud800", "🔥", "👩‍💻", "\t",
    "*bold*", "_x_", "@channel", "http://x.example/", "a" * 5000, "\n", " ", "\u00a0", "\ufeff", "\u3164",
]  # fmt: skip
hostile = st.lists(
    st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=()), max_size=20), max_size=12
).map("".join)
