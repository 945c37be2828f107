//! The one message that the probe sends to the front: it has attached and given up root.
//!
//! Lines of text: start of monitoring in nanoseconds, one line per hook, a single dot. Both sides are one build and
//! one process image, so there is no version; a missing dot means that the probe died while writing.

/// What the probe has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Nanoseconds of `CLOCK_BOOTTIME`.
    pub(crate) monitor_start: u64,
    /// Hooks attached.
    pub(crate) hooks: Vec<String>,
}

impl Report {
    /// The message.
    pub(crate) fn encode(&self) -> String {
        let hooks: String = self.hooks.iter().map(|hook| format!("{hook}\n")).collect();
        format!("{}\n{hooks}.\n", self.monitor_start)
    }

    /// Reads a message; `None` when it is not whole.
    pub(crate) fn decode(text: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(text).ok()?.strip_suffix("\n.\n")?.split('\n');
        Some(Self { monitor_start: lines.next()?.parse().ok()?, hooks: lines.map(str::to_owned).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::Report;

    #[test]
    fn survives_the_way_but_no_cut() {
        for hooks in [vec![], vec!["vfs_read:fentry".to_owned(), "do_exit:kprobe".to_owned()]] {
            let report = Report { monitor_start: 7, hooks };
            let text = report.encode();
            assert_eq!(Report::decode(text.as_bytes()), Some(report));
            for len in 0..text.len() {
                assert_eq!(Report::decode(&text.as_bytes()[..len]), None, "cut at {len}");
            }
        }
    }
}
