//! Ctrl-C, which ends a training after its step and not within.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::failure::Failure;

/// The exit code of a program that was interrupted.
const INTERRUPTED: i32 = 130;

/// How soon after the first a second one may come that nobody has pressed: some programs signal both a process and its group.
const ECHO: Duration = Duration::from_millis(500);

static ASKED: OnceLock<Instant> = OnceLock::new();

/// From now on, Ctrl-C is noted; pressed again, it ends the program at once.
pub fn note() -> Result<(), Failure> {
    let noted = ctrlc::set_handler(|| {
        if ASKED.get_or_init(Instant::now).elapsed() > ECHO {
            std::process::exit(INTERRUPTED);
        }
    });
    noted.map_err(|why| Failure::Input(format!("cannot listen for Ctrl-C: {why}")))
}

/// Whether the program was asked to end.
pub fn asked() -> bool {
    ASKED.get().is_some()
}
