//! Command lines: numbers in their range, and errors in one line.

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Parser};

use super::failure::Failure;

/// The arguments; `None` where help or the version was asked for and printed.
pub fn parse<A: Parser>() -> Result<Option<A>, Failure> {
    Ok(parse_and_tell()?.map(|(args, _)| args))
}

/// The same, with what tells which of them were given; see [`is_given`].
pub fn parse_and_tell<A: Parser>() -> Result<Option<(A, ArgMatches)>, Failure> {
    let matches = A::command().try_get_matches();
    match matches.and_then(|matches| Ok((A::from_arg_matches(&matches)?, matches))) {
        Ok(parsed) => Ok(Some(parsed)),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            error.print()?;
            Ok(None)
        }
        Err(error) => Err(Failure::Input(one_line(&error.to_string()))),
    }
}

/// Whether an argument was given, and is not its default.
pub fn is_given(matches: &ArgMatches, name: &str) -> bool {
    matches.value_source(name) == Some(ValueSource::CommandLine)
}

/// clap's message and hints without the usage below them, on one line.
fn one_line(message: &str) -> String {
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let before_usage = message.split("\n\nUsage:").next().unwrap_or(message);
    let before_more = before_usage.split("\n\nFor more information").next().unwrap_or(before_usage);
    let lines: Vec<&str> = before_more.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    format!("{} (see --help)", lines.join("; "))
}

pub fn whole(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("give a whole number from 0 to {}", u64::MAX))
}

pub fn between<const LEAST: usize, const MOST: usize>(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (LEAST..=MOST).contains(&number) => Ok(number),
        _ => Err(format!("give a whole number from {LEAST} to {MOST}")),
    }
}

/// A number above 0, such as a learning rate.
pub fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(lr) if lr.is_finite() && lr > 0.0 => Ok(lr),
        _ => Err("give a number above 0, such as 0.1".into()),
    }
}
