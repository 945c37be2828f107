//! Points of time as text: `Thu, Apr 04 2024 15:34:35.643031330 UTC`.

use std::io::Write as _;

use super::number::nine_digits;
use super::out::Out;
use crate::event::Wall;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY: i64 = 86_400;

/// Seconds whose text is kept. A record has five times, often of few different seconds.
const SLOTS: usize = 64;
/// Longest text of a second: a year of 12 digits and its sign.
const TEXT_MAX: usize = 40;

#[derive(Clone, Copy, Debug)]
struct Slot {
    second: i64,
    len: usize,
    text: [u8; TEXT_MAX],
}

/// Writes timestamps and remembers the part up to the second.
#[derive(Debug)]
pub(super) struct Clock {
    slots: Box<[Slot; SLOTS]>,
}

impl Default for Clock {
    fn default() -> Self {
        let mut first = Slot { second: 0, len: 0, text: [0; TEXT_MAX] };
        first.fill(0);
        // Slots that do not belong to second 0 are never asked for it.
        Self { slots: Box::new([first; SLOTS]) }
    }
}

impl Slot {
    fn fill(&mut self, second: i64) {
        let date = Date::of(second.div_euclid(DAY));
        let (rest, mut text) = (second.rem_euclid(DAY), &mut self.text[..]);
        // Room is left: the year of the last second has 12 digits.
        let _ = write!(
            text,
            "{}, {} {:02} {:04} {:02}:{:02}:{:02}.",
            date.weekday,
            date.month,
            date.day,
            date.year,
            rest / 3600,
            rest / 60 % 60,
            rest % 60,
        );
        self.len = TEXT_MAX - text.len();
        self.second = second;
    }
}

impl Clock {
    /// Appends `time`.
    pub(super) fn write(&mut self, time: Wall, out: &mut Out) {
        let slot = &mut self.slots[time.sec.rem_euclid(SLOTS as i64) as usize];
        if slot.second != time.sec {
            slot.fill(time.sec);
        }
        out.put(&slot.text, slot.len);
        let [a, b, c, d, e, f, g, h, i] = nine_digits(time.nsec);
        out.put(&[a, b, c, d, e, f, g, h, i, b' ', b'U', b'T', b'C'], 13);
    }
}

/// Appends a second since 1970 as `YYYYMMDDHHmmSS`.
pub(crate) fn digits(second: u32, out: &mut Out) {
    let (second, mut text) = (i64::from(second), [0; 14]);
    let (date, rest) = (Date::of(second.div_euclid(DAY)), second.rem_euclid(DAY));
    let month = MONTHS.iter().position(|name| *name == date.month).unwrap_or_default() as i64 + 1;
    let parts = [date.year / 100, date.year % 100, month, date.day, rest / 3600, rest / 60 % 60, rest % 60];
    for (pair, value) in text.chunks_exact_mut(2).zip(parts) {
        pair.copy_from_slice(&[b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]);
    }
    out.slice(&text);
}

struct Date {
    weekday: &'static str,
    year: i64,
    month: &'static str,
    day: i64,
}

impl Date {
    /// The Gregorian date of a day since 1970, by 400-year eras that begin on 1 March, so that the leap day is last.
    fn of(days: i64) -> Self {
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let month = (from_march + 2) % 12;
        Self {
            weekday: DAYS[days.rem_euclid(7) as usize],
            year: year_of_era + era * 400 + i64::from(month < 2),
            month: MONTHS[month as usize],
            day: day_of_year - (153 * from_march + 2) / 5 + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(clock: &mut Clock, sec: i64, nsec: u32) -> String {
        let mut out = Out::default();
        clock.write(Wall { sec, nsec }, &mut out);
        String::from_utf8(out.text().to_vec()).unwrap()
    }

    #[test]
    fn known_times() {
        let mut clock = Clock::default();
        for (sec, nsec, expected) in [
            (0, 0, "Thu, Jan 01 1970 00:00:00.000000000 UTC"),
            (1_712_244_875, 643_031_330, "Thu, Apr 04 2024 15:34:35.643031330 UTC"),
            (951_782_400, 1, "Tue, Feb 29 2000 00:00:00.000000001 UTC"),
            (-1, 999_999_999, "Wed, Dec 31 1969 23:59:59.999999999 UTC"),
            (4_102_444_799, 5, "Thu, Dec 31 2099 23:59:59.000000005 UTC"),
            (64, 0, "Thu, Jan 01 1970 00:01:04.000000000 UTC"),
            (0, 7, "Thu, Jan 01 1970 00:00:00.000000007 UTC"),
        ] {
            assert_eq!(text(&mut clock, sec, nsec), expected);
        }
    }

    #[test]
    fn digits_of_a_second() {
        let mut out = Out::default();
        digits(1_712_244_875, &mut out);
        digits(u32::MAX, &mut out);
        assert_eq!(out.text(), b"2024040415343521060207062815");
    }

    #[test]
    fn the_ends_of_time_fit() {
        let mut clock = Clock::default();
        assert!(text(&mut clock, i64::MAX, 0).ends_with(":07.000000000 UTC"));
        assert!(text(&mut clock, i64::MIN, 0).ends_with(":52.000000000 UTC"));
    }

    #[test]
    fn days_follow_each_other() {
        let mut before = Date::of(-800_000);
        for day in -799_999..800_000 {
            let date = Date::of(day);
            let next = date.day == before.day + 1 && date.month == before.month && date.year == before.year;
            let first = date.day == 1 && (28..=31).contains(&before.day) && date.month != before.month;
            assert!(next || first, "{day}");
            before = date;
        }
    }
}
