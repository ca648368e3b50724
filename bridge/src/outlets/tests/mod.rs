//! The outlets against real brokers, started here.
