//! Every way from start to end.

use super::*;

/// A course with a clock of its own.
struct Ride {
    course: Course,
    now: Instant,
}

impl Ride {
    fn ready() -> Self {
        let mut ride = Self::started();
        assert_eq!(ride.on(Event::Ready), [Action::Announce]);
        ride
    }

    fn started() -> Self {
        let now = Instant::now();
        Self { course: Course::new(now), now }
    }

    fn on(&mut self, event: Event) -> Vec<Action> {
        self.course.on(event, self.now)
    }

    fn after(&mut self, seconds: u64) -> &mut Self {
        self.now += Duration::from_secs(seconds);
        self
    }

    /// Kills the enricher; the pause until the next one starts.
    fn crash(&mut self) -> Duration {
        let actions = self.on(Event::Enricher(End::Signal(9)));
        assert!(matches!(&actions[..], [Action::Say(_)]), "{actions:?}");
        let pause = self.course.wait(self.now).expect("a pause");
        assert!(self.on(Event::Timer).is_empty());
        self.now += pause;
        assert_eq!(self.on(Event::Timer), [Action::Start]);
        assert_eq!(self.course.wait(self.now), None);
        pause
    }
}

#[test]
fn stops_when_told() {
    for signals in 1..3 {
        let mut ride = Ride::ready();
        assert_eq!(ride.on(Event::Signal), [Action::Stop]);
        (1..signals).for_each(|_| assert!(ride.on(Event::Signal).is_empty()));
        assert!(ride.on(Event::Probe(End::Code(0))).is_empty());
        assert_eq!(ride.course.finished(), None);
        ride.on(Event::Enricher(End::Code(0)));
        assert_eq!(ride.course.finished(), Some(0));
    }
}

#[test]
fn stops_before_the_enricher_is_ready() {
    let mut ride = Ride::started();
    assert_eq!(ride.on(Event::Signal), [Action::Stop]);
    ride.on(Event::Probe(End::Code(0)));
    assert_eq!(ride.on(Event::Ready), [Action::Announce]);
    ride.on(Event::Enricher(End::Code(0)));
    assert_eq!(ride.course.finished(), Some(0));
}

#[test]
fn stops_when_the_only_sink_is_closed() {
    let mut ride = Ride::ready();
    assert_eq!(ride.on(Event::Enricher(End::Code(0))), [Action::Stop]);
    assert_eq!(ride.course.finished(), None);
    ride.on(Event::Probe(End::Code(0)));
    assert_eq!(ride.course.finished(), Some(0));
}

#[test]
fn stops_when_the_probe_got_the_signal() {
    let mut ride = Ride::ready();
    assert_eq!(ride.on(Event::Probe(End::Code(0))), [Action::Stop]);
    ride.on(Event::Enricher(End::Code(0)));
    assert_eq!(ride.course.finished(), Some(0));
}

#[test]
fn empties_the_queue_of_a_dead_probe() {
    let mut ride = Ride::ready();
    let actions = ride.on(Event::Probe(End::Signal(9)));
    assert!(
        matches!(&actions[..], [Action::Stop, Action::Say(text)] if text.contains("signal 9")),
        "{actions:?}"
    );
    assert_eq!(ride.course.finished(), None);
    ride.on(Event::Enricher(End::Code(0)));
    assert_eq!(ride.course.finished(), Some(1));
}

#[test]
fn a_probe_that_breaks_while_stopping_shows() {
    let mut ride = Ride::ready();
    ride.on(Event::Signal);
    ride.on(Event::Probe(End::Code(1)));
    ride.on(Event::Enricher(End::Code(0)));
    assert_eq!(ride.course.finished(), Some(1));
}

#[test]
fn restarts_with_growing_pauses() {
    let mut ride = Ride::ready();
    let pauses: Vec<u128> = (0..11).map(|_| ride.crash().as_millis()).collect();
    assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000]);
    assert_eq!(ride.after(60).crash().as_millis(), 100);
    assert_eq!(ride.after(59).crash().as_millis(), 200);
    assert!(ride.on(Event::Ready).is_empty(), "announced once only");
}

#[test]
fn a_stop_ends_the_pause() {
    for event in [Event::Signal, Event::Probe(End::Code(1))] {
        let mut ride = Ride::ready();
        ride.crash();
        ride.on(Event::Enricher(End::Code(1)));
        ride.on(event);
        assert_eq!(ride.course.wait(ride.now), Some(Duration::ZERO));
        assert_eq!(ride.on(Event::Timer), [Action::Start]);
    }
}

#[test]
fn gives_up_an_enricher_that_cannot_finish() {
    let mut ride = Ride::ready();
    ride.on(Event::Signal);
    ride.on(Event::Probe(End::Code(0)));
    (0..3).for_each(|_| assert_eq!(ride.crash().as_millis(), 100));
    assert!(
        matches!(&ride.on(Event::Enricher(End::Code(1)))[..], [Action::Say(text)] if text.contains("lost"))
    );
    assert_eq!(ride.course.finished(), Some(1));
}

#[test]
fn an_enricher_that_never_was_ready_ends_all() {
    for (end, code) in
        [(End::Code(0), 1), (End::Code(2), 2), (End::Code(3), 3), (End::Code(9), 1), (End::Signal(9), 1)]
    {
        let mut ride = Ride::started();
        assert!(matches!(&ride.on(Event::Enricher(end))[..], [Action::Stop, Action::Say(_)]));
        ride.on(Event::Probe(End::Code(0)));
        assert_eq!(ride.course.finished(), Some(code), "{end}");
    }
}

#[test]
fn a_late_second_signal_gives_up_the_rest() {
    let mut ride = Ride::ready();
    ride.on(Event::Signal);
    ride.on(Event::Probe(End::Code(0)));
    assert_eq!(ride.after(2).on(Event::Signal)[0], Action::Kill);
    assert!(ride.on(Event::Enricher(End::Signal(9))).is_empty());
    assert_eq!(ride.course.finished(), Some(1));
}
