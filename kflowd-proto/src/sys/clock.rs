//! Clocks in nanoseconds.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Nanoseconds since the machine started, suspended time included: the clock of the records.
pub fn boottime_ns() -> u64 {
    // Never negative.
    u64::try_from(nanoseconds(clock_gettime(ClockId::Boottime))).unwrap_or(0)
}

/// Nanoseconds since 1970; negative when the clock is set before.
pub fn realtime_ns() -> i64 {
    nanoseconds(clock_gettime(ClockId::Realtime))
}

fn nanoseconds(time: Timespec) -> i64 {
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}

/// `CLOCK_REALTIME` minus `CLOCK_BOOTTIME`, nanoseconds: of several readings the one that took the shortest time, for
/// the process may lose its processor between two clocks.
pub fn wall_offset() -> i64 {
    let read = || {
        let (before, real, after) = (boottime_ns(), realtime_ns(), boottime_ns());
        (after.saturating_sub(before), real.saturating_sub_unsigned(before.midpoint(after)))
    };
    (0..8).map(|_| read()).min_by_key(|(took, _)| *took).map_or(0, |(_, offset)| offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_advance() {
        let (boot, real) = (boottime_ns(), realtime_ns());
        assert!(boot > 0 && real > 0);
        assert!(boottime_ns() >= boot);
    }
}
