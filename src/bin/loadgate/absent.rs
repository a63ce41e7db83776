//! Commands and options that a build without the feature `cli` or `backtest` lacks.

use clap::error::{ContextKind, ContextValue};

/// Commands that need the AWS SDK, or the libraries of the backtest's page.
const COMMANDS: &[&str] = &[
    "backtest",
    "tables",
    "send",
    "receive",
    "redrive",
    "limits",
    "plans",
    "programs",
    "jobs",
    "runs",
    "customers",
    "worker",
];

/// Options of `replay` that need the AWS SDK.
const OPTIONS: &[&str] = &[
    "--store",
    "--endpoint-url",
    "--run",
    "--correlation-ttl-hours",
    "--decision-log-days",
    "--usage-retention-days",
    "--customers-in-parallel",
];

/// Explains a command or an option that only the whole program has. `None` for any other fault in the command line.
pub fn explained(error: &clap::Error) -> Option<String> {
    let is_in = |kind, names: &[&'static str]| {
        let Some(ContextValue::String(name)) = error.get(kind) else { return None };
        names.iter().copied().find(|known| known == name)
    };
    let absent = is_in(ContextKind::InvalidSubcommand, COMMANDS).or_else(|| is_in(ContextKind::InvalidArg, OPTIONS))?;
    Some(format!(
        "this build of loadgate has no `{absent}`; build the whole program with `make build`, and run target/release/loadgate"
    ))
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;

    fn explain(line: &str) -> Option<String> {
        let replay = Command::new("replay").arg(Arg::new("input")).arg(Arg::new("limits").long("limits"));
        let parsed = Command::new("loadgate").subcommand(replay).try_get_matches_from(line.split(' '));
        explained(&parsed.unwrap_err())
    }

    #[test]
    fn an_absent_command_names_the_build_that_has_it() {
        for absent in COMMANDS {
            let said = explain(&format!("loadgate {absent} --queue-url x")).unwrap();
            assert!(said.contains(&format!("no `{absent}`")) && said.contains("make build"), "{said}");
        }
    }

    #[test]
    fn an_absent_option_names_the_build_that_has_it() {
        for line in ["loadgate replay file --store dynamodb", "loadgate replay --store=sqlite:x file"] {
            assert!(explain(line).unwrap().contains("no `--store`"), "{line}");
        }
    }

    #[test]
    fn other_mistakes_are_left_to_the_parser() {
        for line in ["loadgate relpay file", "loadgate replay --stroe x", "loadgate replay one two"] {
            assert_eq!(explain(line), None, "{line}");
        }
    }
}
