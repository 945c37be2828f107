//! Addresses of variables of the kernel.

use std::fs::File;
use std::io::{self, BufRead, BufReader};

/// Where the kernel keeps these variables, as /proc/kallsyms has it; 0 where it does not say. Modules, which come last
/// in that file, are not read: most of its text is theirs.
pub(crate) fn addresses<const N: usize>(names: [&str; N]) -> [u64; N] {
    // Without the file, or not allowed to know: as if the kernel had no such variables.
    File::open("/proc/kallsyms").and_then(|file| find(BufReader::new(file), names)).unwrap_or([0; N])
}

fn find<const N: usize>(mut symbols: impl BufRead, names: [&str; N]) -> io::Result<[u64; N]> {
    let (mut found, mut line) = ([0; N], Vec::new());
    while found.contains(&0) && symbols.read_until(b'\n', &mut line)? > 0 {
        if line.contains(&b'[') {
            break;
        }
        for (name, address) in names.iter().zip(&mut found) {
            if let Some(rest) = line.trim_ascii_end().strip_suffix(name.as_bytes()) {
                *address = address_of(rest).unwrap_or(*address);
            }
        }
        line.clear();
    }
    Ok(found)
}

/// Of `ffffffff82a34f10 D `, where the name has been cut off.
fn address_of(rest: &[u8]) -> Option<u64> {
    let [hex @ .., b' ', _, b' '] = rest else { return None };
    u64::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::find;

    const SYMBOLS: &[u8] = b"0000000000000000 A fixed_percpu_data\nffffffff82a34f10 D vmemmap_base\n\
        ffffffff82a34f18 D not_page_offset_base\nffffffff82a34f20 D page_offset_base\n\
        ffffffffc0000000 t last\t[module]\nffffffffc0000010 D late\n";

    #[test]
    fn finds_whole_names_before_the_modules() {
        assert_eq!(
            find(SYMBOLS, ["page_offset_base", "vmemmap_base"]).unwrap(),
            [0xffff_ffff_82a3_4f20, 0xffff_ffff_82a3_4f10]
        );
        assert_eq!(find(SYMBOLS, ["late", "vmemmap_base"]).unwrap(), [0, 0xffff_ffff_82a3_4f10]);
    }

    #[test]
    fn hostile_text_gives_nothing() {
        for text in [&b""[..], b"x\n\n x\n", b"zz D x\n", b"ffffffff82a34f10ffffffff D x\n", b"\xff D x"] {
            assert_eq!(find(text, ["x"]).unwrap(), [0]);
        }
    }
}
