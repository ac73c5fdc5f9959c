//! Hostile input of every kind: witnesses, replies, archives, tests and command lines. Each ends with a clear error, within
//! limits of time and memory that the tests enforce.

mod mutated;
mod replies;
mod witnesses;
