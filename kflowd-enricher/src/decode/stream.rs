//! One direction of a stream, put together by offset.
//!
//! The kernel takes payload where bytes are in order, so a piece most often begins where the last one ended and is
//! passed on without a copy. Pieces of two threads may change places on their way here; such a piece waits for what is
//! missing before it. Of long writes only the beginning is captured, so a piece may be known to go on with bytes
//! that never come. What never comes is passed on as a gap, in its place.
//!
//! Waiting is bounded: when too many bytes, too many pieces or too much time lie behind a hole, it is a gap.

/// Most bytes that wait.
const BYTES_MAX: usize = 64 << 10;
/// Most pieces that wait.
const PIECES_MAX: usize = 16;
/// Longest time that a piece waits, in nanoseconds of the pieces' own clock.
const TIME_MAX: u64 = 1_000_000_000;

/// A part of the stream, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Bytes, and when they came.
    Bytes(&'a [u8], u64),
    /// So many missing bytes, and when that was known.
    Gap(u64, u64),
}

/// A piece as it was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Its place in the stream.
    pub offset: u64,
    /// Bytes that the program sent or received at once.
    pub length: u64,
    /// The first of them, at most `length`.
    pub bytes: &'a [u8],
    /// When.
    pub time: u64,
}

/// A piece that waits.
#[derive(Clone, Copy, Debug)]
struct Held {
    offset: u64,
    length: u64,
    time: u64,
    /// Where its bytes stand in `Stream::bytes`.
    start: usize,
    end: usize,
}

/// Puts one direction together.
#[derive(Debug, Default)]
pub struct Stream {
    /// Offset of the next byte to pass on; not known before the first piece of a stream that was joined.
    next: Option<u64>,
    /// By offset.
    held: Vec<Held>,
    bytes: Vec<u8>,
}

impl Stream {
    /// A stream whose first byte has offset 0, or one that is joined where its first piece begins.
    pub fn new(joined: bool) -> Self {
        Self { next: if joined { None } else { Some(0) }, ..Self::default() }
    }

    /// Begins anew, with the memory there is.
    pub fn reset(&mut self, joined: bool) {
        self.next = if joined { None } else { Some(0) };
        self.held.clear();
        self.bytes.clear();
    }

    /// Takes a piece, and passes on what is in order then.
    pub fn take(&mut self, segment: &Segment<'_>, pass: &mut impl FnMut(Part<'_>)) {
        let next = *self.next.get_or_insert(segment.offset);
        if segment.offset > next {
            self.hold(segment);
            while self.overdue(segment.time) {
                self.close_hole(pass);
            }
            return;
        }
        self.pass_on(segment, pass);
        if !self.held.is_empty() {
            self.release(pass);
        }
    }

    /// Passes on what is behind the last byte that was passed on.
    fn pass_on(&mut self, segment: &Segment<'_>, pass: &mut impl FnMut(Part<'_>)) {
        let next = self.next.unwrap_or(segment.offset);
        let captured = segment.bytes.len().min(usize::try_from(segment.length).unwrap_or(usize::MAX));
        let old = usize::try_from(next - segment.offset).map_or(captured, |old| old.min(captured));
        let bytes = &segment.bytes[old..captured];
        if !bytes.is_empty() {
            pass(Part::Bytes(bytes, segment.time));
        }
        let there = next.saturating_add(bytes.len() as u64);
        let end = segment.offset.saturating_add(segment.length).max(there);
        if end > there {
            pass(Part::Gap(end - there, segment.time));
        }
        self.next = Some(end);
    }

    fn hold(&mut self, segment: &Segment<'_>) {
        let start = self.bytes.len();
        let captured = segment.bytes.len().min(usize::try_from(segment.length).unwrap_or(usize::MAX));
        self.bytes.extend_from_slice(&segment.bytes[..captured]);
        let held = Held {
            offset: segment.offset,
            length: segment.length,
            time: segment.time,
            start,
            end: self.bytes.len(),
        };
        let place = self.held.partition_point(|other| other.offset <= segment.offset);
        self.held.insert(place, held);
    }

    fn overdue(&self, now: u64) -> bool {
        let oldest = self.held.iter().map(|held| held.time).min();
        self.bytes.len() > BYTES_MAX
            || self.held.len() > PIECES_MAX
            || oldest.is_some_and(|time| now.saturating_sub(time) > TIME_MAX)
    }

    /// Gives the first hole up.
    fn close_hole(&mut self, pass: &mut impl FnMut(Part<'_>)) {
        let Some(first) = self.held.first() else { return };
        let next = self.next.unwrap_or(first.offset);
        if first.offset > next {
            pass(Part::Gap(first.offset - next, first.time));
        }
        self.next = Some(next.max(first.offset));
        self.release(pass);
    }

    /// Passes on pieces that wait no more.
    fn release(&mut self, pass: &mut impl FnMut(Part<'_>)) {
        let mut done = 0;
        let bytes = std::mem::take(&mut self.bytes);
        while let Some(&held) = self.held.get(done)
            && held.offset <= self.next.unwrap_or_default()
        {
            let Held { offset, length, time, start, end } = held;
            self.pass_on(&Segment { offset, length, time, bytes: &bytes[start..end] }, pass);
            done += 1;
        }
        self.bytes = bytes;
        self.held.drain(..done);
        self.compact();
    }

    /// Forgets the bytes of pieces that were passed on.
    fn compact(&mut self) {
        if self.held.is_empty() {
            self.bytes.clear();
            return;
        }
        let mut kept = Vec::new();
        for held in &mut self.held {
            let start = kept.len();
            kept.extend_from_slice(&self.bytes[held.start..held.end]);
            (held.start, held.end) = (start, kept.len());
        }
        self.bytes = kept;
    }

    /// The stream ended, or nothing is to wait any longer: every hole is a gap.
    pub fn flush(&mut self, pass: &mut impl FnMut(Part<'_>)) {
        while !self.held.is_empty() {
            self.close_hole(pass);
        }
    }

    /// Bytes of memory held.
    pub fn held(&self) -> usize {
        self.bytes.capacity() + self.held.capacity() * size_of::<Held>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(i: u64) -> u8 {
        (i * 7 + i / 256) as u8
    }

    /// What comes out, with gaps as runs of `None`.
    fn run(joined: bool, segments: &[(u64, u64, u64)]) -> Vec<Option<u8>> {
        let mut stream = Stream::new(joined);
        let mut got = Vec::new();
        let mut pass = |part: Part<'_>| match part {
            Part::Bytes(bytes, _) => got.extend(bytes.iter().map(|&byte| Some(byte))),
            Part::Gap(count, _) => got.extend((0..count).map(|_| None)),
        };
        for &(offset, captured, length) in segments {
            let bytes: Vec<u8> = (offset..offset + captured).map(text).collect();
            stream.take(&Segment { offset, length, bytes: &bytes, time: 0 }, &mut pass);
        }
        stream.flush(&mut pass);
        got
    }

    fn whole(range: std::ops::Range<u64>) -> Vec<Option<u8>> {
        range.map(|i| Some(text(i))).collect()
    }

    #[test]
    fn pieces_in_any_order() {
        assert_eq!(run(false, &[(0, 5, 5), (5, 5, 5)]), whole(0..10));
        assert_eq!(run(false, &[(5, 5, 5), (0, 5, 5)]), whole(0..10));
        assert_eq!(run(false, &[(8, 2, 2), (5, 3, 3), (0, 3, 3), (3, 2, 2)]), whole(0..10));
        assert_eq!(run(false, &[(0, 5, 5), (3, 5, 5), (0, 4, 4)]), whole(0..8));
        assert_eq!(run(true, &[(1000, 5, 5), (1005, 1, 1)]), whole(1000..1006));
    }

    #[test]
    fn gaps_stand_in_their_place() {
        let mut expected = whole(0..3);
        expected.extend([None; 4]);
        expected.extend(whole(7..9));
        assert_eq!(run(false, &[(0, 3, 7), (7, 2, 2)]), expected);
        assert_eq!(run(false, &[(0, 3, 3), (7, 2, 2)]), expected);
        assert_eq!(run(false, &[(7, 2, 2), (0, 3, 7)]), expected);
    }

    #[test]
    fn waiting_is_bounded() {
        let big = vec![0; 40 << 10];
        let (mut stream, mut gaps, mut bytes) = (Stream::new(false), 0, 0);
        let mut pass = |part: Part<'_>| match part {
            Part::Gap(count, _) => gaps += count,
            Part::Bytes(more, _) => bytes += more.len(),
        };
        let mut piece = |offset: u64, length: usize, time| {
            stream.take(&Segment { offset, length: length as u64, bytes: &big[..length], time }, &mut pass);
            stream.bytes.len()
        };
        assert_eq!(piece(10, 40 << 10, 0), 40 << 10);
        assert_eq!(piece(10 + (40 << 10), 40 << 10, 0), 0);
        assert_eq!(piece(20 + (80 << 10), 4, 5), 4);
        assert_eq!(piece(40 + (80 << 10), 4, 6 + TIME_MAX), 4);
        for i in 0..=PIECES_MAX as u64 {
            piece(1_000_000 + 10 * i, 1, 0);
        }
        assert!(stream.held.len() <= PIECES_MAX);
        assert_eq!(bytes, (80 << 10) + 8 + 1);
        assert_eq!(gaps, 10 + 10 + 16 + (1_000_000 - 44 - (80 << 10)));
    }

    #[test]
    fn offsets_at_the_end_of_numbers() {
        let mut stream = Stream::new(true);
        let mut parts = 0;
        for (offset, length) in [(u64::MAX - 1, 10), (u64::MAX, u64::MAX), (0, u64::MAX), (3, 1)] {
            stream.take(&Segment { offset, length, bytes: b"abc", time: 0 }, &mut |_| parts += 1);
        }
        stream.flush(&mut |_| parts += 1);
        assert!(parts > 0);
    }

    proptest! {
        #[test]
        fn shuffled_pieces_give_the_stream(
            cuts in proptest::collection::btree_set(1_u64..300, 0..12),
            order in any::<[u16; 14]>(),
        ) {
            let mut ends: Vec<u64> = cuts.into_iter().collect();
            ends.push(300);
            let mut from = 0;
            let mut pieces: Vec<_> = ends.iter().map(|&end| {
                let piece = (from, end - from, end - from);
                from = end;
                piece
            }).collect();
            let keys: std::collections::HashMap<u64, u16> =
                pieces.iter().zip(order).map(|(piece, key)| (piece.0, key)).collect();
            pieces.sort_by_key(|piece| keys[&piece.0]);
            prop_assert_eq!(run(false, &pieces), whole(0..300));
        }

        #[test]
        fn any_segments_cover_each_place_once(segments in proptest::collection::vec((0_u64..200, 0_u64..40, 0_u64..60), 0..30)) {
            let fixed: Vec<_> = segments.iter().map(|&(o, c, l)| (o, c.min(l), l)).collect();
            let got = run(false, &fixed);
            for (i, byte) in got.iter().enumerate() {
                prop_assert!(byte.is_none_or(|byte| byte == text(i as u64)));
            }
            prop_assert_eq!(got.len() as u64, fixed.iter().map(|&(o, _, l)| o + l).max().unwrap_or(0));
        }
    }
}
