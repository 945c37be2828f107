//! For callgrind: a known number of messages to text. Arguments: a case of `benches::decode::CASES`, or `exchange`
//! for a request and a response through a flow; then the number of rounds.

use benches::decode::{CASES, Exchange, Subject, message, prove};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let case = CASES.iter().find(|(_, known)| *known == name).map(|(case, _)| *case);
    let rounds: usize = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    prove();
    let (mut subject, mut exchange, mut bytes) = (Subject::default(), Exchange::default(), 0);
    for _ in 0..rounds {
        bytes += match case {
            Some(case) => subject.decode(case, std::hint::black_box(message(case))).len(),
            None => exchange.round().len(),
        };
    }
    println!("{name}: {rounds} rounds, {bytes} bytes");
}
