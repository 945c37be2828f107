//! One flow from payload to text.

use super::{App, Direction, Limits, Transport, Waiting};
use crate::decode::dns;
use crate::decode::http::{self, Connection};
use crate::decode::stream::{Part, Segment, Stream};
use crate::decode::syslog::{self, Origin};
use crate::render::app::{self, Block, Form};

/// What is known of a flow when its first payload comes, and how its messages are to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Protocol.
    pub app: App,
    /// What carries it.
    pub transport: Transport,
    /// The flow ends on this host: a UNIX socket.
    pub local: bool,
    /// The flow is older than its first payload here.
    pub joined: bool,
    /// First time of the flow, in nanoseconds; times of messages are relative to it.
    pub start: u64,
    /// Form of the messages.
    pub form: Form,
    /// When records have to go out.
    pub limits: Limits,
    /// Bytes of an HTTP body that are shown.
    pub body_max: usize,
}

/// Payload of one call of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Which way it went.
    pub direction: Direction,
    /// Place in the stream, offset of captured bytes, time.
    pub segment: Segment<'a>,
}

#[derive(Debug)]
enum Decoder {
    Dns([dns::Framer; 2]),
    Http(Box<Connection>),
    Syslog([syslog::Framer; 2]),
}

/// A flow.
#[derive(Debug)]
pub struct Flow {
    setup: Setup,
    streams: [Stream; 2],
    decoder: Decoder,
    waiting: Waiting,
}

fn decoder(setup: &Setup) -> Decoder {
    match setup.app {
        App::Dns => Decoder::Dns(Default::default()),
        App::Http => Decoder::Http(Box::new(Connection::new(setup.body_max))),
        App::Syslog => Decoder::Syslog(Default::default()),
    }
}

const SIDES: [Direction; 2] = [Direction::Tx, Direction::Rx];

impl Flow {
    /// A flow without payload so far.
    pub fn new(setup: Setup) -> Self {
        let mut flow = Self {
            setup,
            streams: Default::default(),
            decoder: decoder(&setup),
            waiting: Waiting::new(setup.limits),
        };
        flow.reset(setup);
        flow
    }

    /// Begins another flow with the memory of this one, whose messages have all gone out.
    pub fn reset(&mut self, setup: Setup) {
        debug_assert!(self.block().is_empty(), "messages would be lost");
        let same = self.setup.app == setup.app && self.setup.body_max == setup.body_max;
        if !same {
            self.decoder = decoder(&setup);
        }
        self.streams.iter_mut().for_each(|stream| stream.reset(setup.joined));
        match &mut self.decoder {
            Decoder::Dns(framers) => framers.iter_mut().for_each(|framer| framer.reset(setup.joined)),
            Decoder::Http(connection) => connection.reset(setup.joined),
            Decoder::Syslog(framers) => framers.iter_mut().for_each(|framer| framer.reset(setup.joined)),
        }
        self.waiting.reset(setup.limits);
        self.setup = setup;
    }

    /// Takes payload; its messages wait then.
    pub fn take(&mut self, piece: &Piece<'_>) {
        let Self { setup, streams, decoder, waiting } = self;
        let side = piece.direction as usize;
        let Segment { bytes, length, time, .. } = piece.segment;
        match (setup.transport, setup.app) {
            (Transport::Datagram, App::Dns) => {
                dns_message(dns::Framed::Message { bytes, length }, time, piece.direction, setup, waiting);
            }
            (Transport::Datagram, App::Syslog) => {
                let framed = syslog::Framed::Message { bytes, cut: length > bytes.len() as u64 };
                syslog_message(framed, piece.direction, setup, waiting);
            }
            (Transport::Stream, _) | (_, App::Http) => {
                streams[side].take(&piece.segment, &mut |part| part_of(side, part, setup, decoder, waiting));
            }
        }
    }

    /// The flow ended: what is held of messages is given out with a mark.
    pub fn end(&mut self) {
        let Self { setup, streams, decoder, waiting } = self;
        for (side, stream) in streams.iter_mut().enumerate() {
            stream.flush(&mut |part| part_of(side, part, setup, decoder, waiting));
        }
        match decoder {
            Decoder::Dns(framers) => {
                for (framer, way) in framers.iter_mut().zip(SIDES) {
                    framer.end(&mut |framed, time| dns_message(framed, time, way, setup, waiting));
                }
            }
            Decoder::Http(connection) => {
                connection.end(&mut |side, message| http_message(side, message, setup, waiting));
            }
            Decoder::Syslog(framers) => {
                for (framer, way) in framers.iter_mut().zip(SIDES) {
                    framer.end(&mut |framed| syslog_message(framed, way, setup, waiting));
                }
            }
        }
    }

    /// Whether as many messages wait as a record takes.
    pub fn full(&self) -> bool {
        self.waiting.full()
    }

    /// Its protocol.
    pub fn app(&self) -> App {
        self.setup.app
    }

    /// Number of messages that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.count()
    }

    /// Messages for the next record; empty when none wait.
    pub fn block(&self) -> Block<'_> {
        self.waiting.block(self.setup.app)
    }

    /// A record with the first `count` messages has gone out.
    pub fn taken(&mut self, count: usize) {
        self.waiting.taken(count);
    }

    /// Bytes of memory held.
    pub fn held(&self) -> usize {
        let decoder = match &self.decoder {
            Decoder::Dns(framers) => framers.iter().map(dns::Framer::held).sum(),
            Decoder::Http(connection) => connection.held(),
            Decoder::Syslog(framers) => framers.iter().map(syslog::Framer::held).sum::<usize>(),
        };
        decoder + self.streams.iter().map(Stream::held).sum::<usize>() + self.waiting.held()
    }
}

fn part_of(side: usize, part: Part<'_>, setup: &Setup, decoder: &mut Decoder, waiting: &mut Waiting) {
    let way = SIDES[side];
    match (decoder, part) {
        (Decoder::Dns(framers), part) => {
            let emit = &mut |framed: dns::Framed<'_>, time| dns_message(framed, time, way, setup, waiting);
            match part {
                Part::Bytes(bytes, time) => framers[side].bytes(bytes, time, emit),
                Part::Gap(count, time) => framers[side].gap(count, time, emit),
            }
        }
        (Decoder::Http(connection), part) => {
            let emit = &mut |side, message: &http::Message<'_>| http_message(side, message, setup, waiting);
            match part {
                Part::Bytes(bytes, time) => connection.bytes(side, bytes, time, emit),
                Part::Gap(count, time) => connection.gap(side, count, time, emit),
            }
        }
        (Decoder::Syslog(framers), part) => {
            let emit = &mut |framed: syslog::Framed<'_>| syslog_message(framed, way, setup, waiting);
            match part {
                Part::Bytes(bytes, _) => framers[side].bytes(bytes, emit),
                Part::Gap(count, _) => framers[side].gap(count, emit),
            }
        }
    }
}

fn dns_message(framed: dns::Framed<'_>, time: u64, way: Direction, setup: &Setup, waiting: &mut Waiting) {
    let form = &setup.form;
    waiting.add(way, |out| match framed {
        dns::Framed::Message { bytes, length } => {
            app::dns(bytes, length, time.saturating_sub(setup.start), form, out);
        }
        dns::Framed::Error(error) => app::dns_error(&error, form, out),
    });
}

fn http_message(side: usize, message: &http::Message<'_>, setup: &Setup, waiting: &mut Waiting) {
    let time = message.time.saturating_sub(setup.start);
    waiting.add(SIDES[side & 1], |out| app::http(message, time, &setup.form, out));
}

fn syslog_message(framed: syslog::Framed<'_>, way: Direction, setup: &Setup, waiting: &mut Waiting) {
    let origin = if setup.local { Origin::Local } else { Origin::Network };
    waiting.add(way, |out| match framed {
        syslog::Framed::Message { bytes, cut } => match syslog::parse(bytes, origin) {
            Ok(message) => app::syslog(&message, cut, &setup.form, out),
            Err(error) => app::syslog_error(&error, bytes, cut, &setup.form, out),
        },
        syslog::Framed::Error(error) => app::syslog_error(&error, b"", false, &setup.form, out),
    });
}
