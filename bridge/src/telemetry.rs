//! Log lines: one event a line on standard error, filtered by `HORIZON_LOG` (a level, or directives such as `horizon=debug`).
//!
//! Payloads, keys of personal data and secrets are never logged.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::outlets::LIBRARY_LOG_DIRECTIVES;

/// The variable that sets what is logged. It is not part of the configuration, and is left out of it.
pub(crate) const LOG_VARIABLE: &str = "HORIZON_LOG";

/// What is logged unless told otherwise: Horizon's own news, what audits tell, and only warnings of its libraries.
const DEFAULT_FILTER: &str = "warn,horizon=info,horizon_store=info,audit=info";

/// Starts logging; called once by the daemon.
///
/// # Errors
/// Says what is wrong with `HORIZON_LOG`.
pub(crate) fn start() -> Result<(), String> {
    let asked = std::env::var(LOG_VARIABLE).unwrap_or_default();
    let told = if asked.is_empty() {
        DEFAULT_FILTER
    } else {
        &asked
    };
    let wrong = || {
        format!(
            "{LOG_VARIABLE}={asked:?} says neither a level nor `target=level`\n  = mend: write error, warn, info, debug or trace, or directives such as horizon=debug"
        )
    };
    // A lone word that is no level would be taken for a target, and silence everything else.
    let is_known =
        |directive: &str| directive.contains('=') || directive.parse::<LevelFilter>().is_ok();
    if !told.split(',').all(|directive| is_known(directive.trim())) {
        return Err(wrong());
    }
    let mut filter = EnvFilter::try_new(told).map_err(|_| wrong())?;
    for directive in LIBRARY_LOG_DIRECTIVES {
        if let Ok(directive) = directive.parse() {
            filter = filter.add_directive(directive);
        }
    }
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    Ok(())
}
