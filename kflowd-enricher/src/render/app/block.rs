//! `App` and the arrays of messages, as they stand at the end of a socket record.

use super::Style;
use crate::app::{App, Direction};
use crate::render::keys::Key;
use crate::render::out::Out;

/// Messages that go out with one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// Their protocol.
    pub app: App,
    /// Their objects, one behind the other.
    pub(crate) text: &'a [u8],
    /// Where each object ends, and which way it went.
    pub(crate) ends: &'a [(usize, Direction)],
}

impl<'a> Block<'a> {
    /// The objects of one direction.
    pub fn messages(&self, direction: Direction) -> impl Iterator<Item = &'a [u8]> {
        let (text, mut at) = (self.text, 0);
        self.ends.iter().filter_map(move |&(end, way)| {
            let object = &text[at..end];
            at = end;
            (way == direction).then_some(object)
        })
    }

    /// Number of messages.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// Appends the block; each key brings the separator of the value before it. No messages: nothing.
pub fn block(block: &Block<'_>, style: Style, out: &mut Out) {
    if block.is_empty() {
        return;
    }
    let (name, tx, rx) = match block.app {
        App::Dns => ("\"DNS\"", Key::AppTxDns, Key::AppRxDns),
        App::Http => ("\"HTTP\"", Key::AppTxHttp, Key::AppRxHttp),
        App::Syslog => ("\"SYSLOG\"", Key::AppTxSyslog, Key::AppRxSyslog),
    };
    let keys = style.keys();
    let key = |key: Key, out: &mut Out| out.put(&keys[key as usize].bytes, keys[key as usize].len);
    key(Key::App, out);
    out.slice(name.as_bytes());
    let between: &[u8] = match style {
        Style::Pretty => b",\n  ",
        Style::Compact => b", ",
    };
    for (name, direction) in [(tx, Direction::Tx), (rx, Direction::Rx)] {
        let mut first = true;
        for message in block.messages(direction) {
            if first {
                key(name, out);
                out.byte(b'[');
            } else {
                out.slice(between);
            }
            first = false;
            out.slice(message);
        }
        if !first {
            out.byte(b']');
        }
    }
}
