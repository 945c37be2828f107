//! The text of a batch, written in pieces of fixed size.
//!
//! The buffer is longer than its text: a piece is copied whole, with the bytes behind its end, and the end moves by
//! what counts. Copies of a size that the compiler knows are a few instructions, where `Vec::extend_from_slice` of a
//! few bytes is a function call. The buffer's memory is reused from batch to batch.

/// Growing text.
#[derive(Debug, Default)]
pub struct Out {
    /// What lies behind `len` has no meaning.
    buffer: Vec<u8>,
    len: usize,
}

impl Out {
    /// The text.
    pub fn text(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Forgets the text and keeps the memory.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Bytes of text.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Forgets what stands behind the first `len` bytes.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Forgets the first `count` bytes.
    pub(crate) fn remove_front(&mut self, count: usize) {
        let count = count.min(self.len);
        self.buffer.copy_within(count..self.len, 0);
        self.len -= count;
    }

    /// Appends a copy of the text between two places.
    pub(crate) fn repeat(&mut self, start: usize, end: usize) {
        let more = end - start;
        if self.len + more > self.buffer.len() {
            self.grow(more);
        }
        self.buffer.copy_within(start..end, self.len);
        self.len += more;
    }

    /// Gives memory back that is more than `most` bytes; the text is lost.
    pub(crate) fn shrink(&mut self, most: usize) {
        self.len = 0;
        if self.buffer.len() > most {
            self.buffer = Vec::new();
        }
    }

    /// Appends the first `used` bytes of `piece`.
    #[inline]
    pub(crate) fn put<const N: usize>(&mut self, piece: &[u8; N], used: usize) {
        debug_assert!(used <= N);
        match self.buffer.get_mut(self.len..).and_then(|rest| rest.first_chunk_mut::<N>()) {
            Some(room) => *room = *piece,
            None => self.put_growing(piece),
        }
        self.len += used;
    }

    /// Appends a whole piece.
    #[inline]
    pub(crate) fn piece<const N: usize>(&mut self, piece: &[u8; N]) {
        self.put(piece, N);
    }

    /// Appends one byte.
    #[inline]
    pub(crate) fn byte(&mut self, byte: u8) {
        self.put(&[byte], 1);
    }

    /// Appends text of any length.
    #[inline]
    pub(crate) fn slice(&mut self, text: &[u8]) {
        let end = self.len + text.len();
        if end > self.buffer.len() {
            self.grow(text.len());
        }
        let room = &mut self.buffer[self.len..end];
        // Two copies of fixed size that overlap cost less than the call that copies any number of bytes.
        match text.len() {
            8..=16 => ends::<8>(text, room),
            4..8 => ends::<4>(text, room),
            _ => room.copy_from_slice(text),
        }
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

/// Copies the first and the last `N` bytes.
#[inline]
fn ends<const N: usize>(text: &[u8], room: &mut [u8]) {
    if let (Some(first), Some(place)) = (text.first_chunk::<N>(), room.first_chunk_mut::<N>()) {
        *place = *first;
    }
    if let (Some(last), Some(place)) = (text.last_chunk::<N>(), room.last_chunk_mut::<N>()) {
        *place = *last;
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
