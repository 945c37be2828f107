//! For callgrind: a known number of messages to text. Arguments: a case of `benches::decode::CASES`, or `exchange`
//! for a request and a response through a flow; then the number of rounds.

use benches::decode::{Exchange, Subject, message, prove};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let case = arguments.next().unwrap_or_default();
    let rounds: usize = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    prove();
    let (mut subject, mut exchange, mut bytes) = (Subject::default(), Exchange::default(), 0);
    for _ in 0..rounds {
        bytes += if case == "exchange" {
            exchange.round().len()
        } else {
            subject.decode(&case, std::hint::black_box(message(&case))).len()
        };
    }
    println!("{case}: {rounds} rounds, {bytes} bytes");
}
