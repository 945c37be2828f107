//! The command line. Everything that a user may choose comes with the handshake.

use clap::Parser;

/// The unprivileged half of kflowd: reads records from kflowd-probe, writes JSON.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "kflowd-enricher",
    version,
    after_help = "Started by kflowd-probe, which takes all options."
)]
pub struct Cli {
    /// Descriptor of the socket on which kflowd-probe sends the handshake
    #[arg(long, value_name = "FD", value_parser = clap::value_parser!(i32).range(3..))]
    pub inherit: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inherit_is_a_descriptor() {
        assert_eq!(Cli::try_parse_from(["k", "--inherit", "7"]).unwrap().inherit, 7);
        for wrong in [&["k"][..], &["k", "--inherit", "x"], &["k", "--inherit", "1"], &["k", "--inherit=-1"]]
        {
            assert_eq!(Cli::try_parse_from(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
        }
    }
}
