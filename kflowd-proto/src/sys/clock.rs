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
