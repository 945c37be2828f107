//! Paths of file records, split as the output shows them.

use super::process::path;
use crate::decode::Tailed;
use crate::event::Text;

/// Directory, with a slash at both ends or the mark of a cut path at the left one, and name.
pub(super) fn split(full: Tailed<'_>) -> (Text<'_>, &[u8]) {
    let at = full.bytes.iter().rposition(|&b| b == b'/').map_or(0, |slash| slash + 1);
    let (directory, name) = full.bytes.split_at(at);
    if full.cut {
        return (path(directory, true), name);
    }
    let missing: &[u8] = if directory.first() == Some(&b'/') { b"" } else { b"/" };
    (Text([missing, directory, b""]), name)
}

/// What `FileOrigin` shows of the path before a move: the name alone when the directory stayed.
pub(super) fn origin<'a>(old: Tailed<'a>, new: Tailed<'_>) -> Text<'a> {
    let (old_directory, old_name) = split(old);
    let (new_directory, _) = split(new);
    // Two cut directories may differ in what is missing.
    if old_directory == new_directory && !old.cut {
        return Text::one(old_name);
    }
    path(old.bytes, old.cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tailed(text: &str, cut: bool) -> Tailed<'_> {
        Tailed { bytes: text.as_bytes(), cut }
    }

    fn joined(text: Text<'_>) -> String {
        String::from_utf8(text.0.concat()).unwrap()
    }

    #[test]
    fn splits_at_the_last_slash() {
        for (full, cut, directory, name) in [
            ("/home/u/f", false, "/home/u/", "f"),
            ("/f", false, "/", "f"),
            ("memfd:x", false, "/", "memfd:x"),
            ("", false, "/", ""),
            ("/u/f", true, "…/u/", "f"),
            ("u/f", true, "…/u/", "f"),
            ("f", true, "…/", "f"),
            ("/f", true, "…/", "f"),
        ] {
            let (found, file) = split(tailed(full, cut));
            assert_eq!((joined(found).as_str(), file), (directory, name.as_bytes()), "{full}");
        }
    }

    #[test]
    fn origin_is_short_when_the_directory_stayed() {
        let new = tailed("/a/new", false);
        assert_eq!(joined(origin(tailed("/a/old", false), new)), "old");
        assert_eq!(joined(origin(tailed("/b/old", false), new)), "/b/old");
        assert_eq!(joined(origin(tailed("b/old", true), tailed("b/new", true))), "…/b/old");
    }
}
