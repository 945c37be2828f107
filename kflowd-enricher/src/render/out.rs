//! The text of a batch, written in pieces of fixed size.
//!
//! The buffer is longer than its text: a piece is copied whole, with the bytes behind its end, and the end moves by
//! what counts. Copies of a size that the compiler knows are a few instructions, where `Vec::extend_from_slice` of a
//! few bytes is a function call. The buffer's memory is reused from batch to batch.

/// Growing text.
#[derive(Debug, Default)]
pub(super) struct Out {
    /// What lies behind `len` has no meaning.
    buffer: Vec<u8>,
    len: usize,
}

impl Out {
    /// The text.
    pub(super) fn text(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Forgets the text and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Appends the first `used` bytes of `piece`.
    #[inline]
    pub(super) fn put<const N: usize>(&mut self, piece: &[u8; N], used: usize) {
        debug_assert!(used <= N);
        match self.buffer.get_mut(self.len..).and_then(|rest| rest.first_chunk_mut::<N>()) {
            Some(room) => *room = *piece,
            None => self.put_growing(piece),
        }
        self.len += used;
    }

    /// Appends one byte.
    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        self.put(&[byte], 1);
    }

    /// Appends text of any length.
    pub(super) fn slice(&mut self, text: &[u8]) {
        let end = self.len + text.len();
        if end > self.buffer.len() {
            self.grow(text.len());
        }
        self.buffer[self.len..end].copy_from_slice(text);
        self.len = end;
    }

    #[cold]
    fn put_growing(&mut self, piece: &[u8]) {
        self.grow(piece.len());
        self.buffer[self.len..self.len + piece.len()].copy_from_slice(piece);
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        let least = self.len + more;
        self.buffer.resize((2 * least).max(4096), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_end_where_they_count() {
        let mut out = Out::default();
        for _ in 0..3000 {
            out.put(b"abc...", 3);
            out.byte(b'd');
            out.slice(b"ef");
        }
        assert_eq!(out.text(), b"abcdef".repeat(3000));
        out.clear();
        assert_eq!(out.text(), b"");
    }
}
