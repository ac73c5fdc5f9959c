//! The executors that a run can choose from, by name.

use super::{ExecutorFactory, ExecutorKind};

/// All executors of a run: those of this crate, then those that the program adds.
#[derive(Clone, Debug)]
pub struct Registry(Vec<ExecutorKind>);

/// A name that an executor cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Another executor has the name.
    #[error("two executors are named {0:?}; give each a name of its own")]
    Clash(String),
    /// The name cannot be typed in a list, or means something else there.
    #[error(
        "an executor cannot be named {0:?}; use ASCII letters, digits and hyphens, and not \"all\""
    )]
    Unusable(String),
}

/// No executor has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no executor {name:?}; there are: {known}")]
pub struct UnknownExecutor {
    name: String,
    known: String,
}

impl Default for Registry {
    /// The executors of this crate.
    fn default() -> Self {
        Self(ExecutorKind::BUILT_IN.to_vec())
    }
}

impl Registry {
    /// Adds executors of the program. They stay registered as long as the process lives.
    ///
    /// # Errors
    /// If a name is taken, or could not be typed in a list of executors.
    pub fn with(
        mut self,
        executors: impl IntoIterator<Item = Box<dyn ExecutorFactory>>,
    ) -> Result<Self, NameError> {
        for executor in executors {
            let name = executor.name();
            if !is_usable(name) {
                return Err(NameError::Unusable(name.to_owned()));
            }
            if self.0.iter().any(|known| known.name() == name) {
                return Err(NameError::Clash(name.to_owned()));
            }
            self.0.push(ExecutorKind::new(Box::leak(executor)));
        }
        Ok(self)
    }

    /// All executors, the baseline first.
    pub fn all(&self) -> &[ExecutorKind] {
        &self.0
    }

    /// The executor of this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn find(&self, name: &str) -> Result<ExecutorKind, UnknownExecutor> {
        let found = self.0.iter().find(|kind| kind.name() == name).copied();
        found.ok_or_else(|| {
            let known = Vec::from_iter(self.0.iter().map(|kind| kind.name())).join(", ");
            UnknownExecutor { name: name.to_owned(), known }
        })
    }
}

fn is_usable(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    name != "all" && !name.starts_with('-') && !name.is_empty() && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        block::ReplayJob,
        execution::{ExecuteError, Executor},
        executors::Sequential,
    };
    use std::num::NonZeroUsize;

    #[derive(Debug)]
    struct Named(&'static str);

    impl ExecutorFactory for Named {
        fn name(&self) -> &str {
            self.0
        }

        fn description(&self) -> &str {
            "for this test"
        }

        fn prepare(
            &self,
            _: &ReplayJob,
            _: NonZeroUsize,
        ) -> Result<Box<dyn Executor>, ExecuteError> {
            Ok(Box::new(Sequential))
        }
    }

    fn with(names: &[&'static str]) -> Result<Registry, NameError> {
        let boxed = |name: &&'static str| Box::new(Named(name)) as Box<dyn ExecutorFactory>;
        Registry::default().with(names.iter().map(boxed))
    }

    #[test]
    fn every_executor_is_found_by_its_name() {
        let registry = with(&["mine"]).expect("the name is free");
        for kind in registry.all() {
            assert_eq!(registry.find(kind.name()).expect("it is registered"), *kind);
        }
        let error = registry.find("pevm").expect_err("no such executor").to_string();
        for kind in registry.all() {
            assert!(error.contains(kind.name()), "the error lists {kind}");
        }
    }

    #[test]
    fn a_name_that_is_taken_or_cannot_be_typed_is_refused() {
        for taken in [&["bal"][..], &["mine", "mine"]] {
            assert!(matches!(with(taken), Err(NameError::Clash(_))), "{taken:?}");
        }
        for unusable in ["", "all", "a,b", "-x", "a b", "\u{202e}"] {
            let refused = with(&[Box::leak(unusable.to_owned().into_boxed_str())]);
            assert!(matches!(refused, Err(NameError::Unusable(_))), "{unusable:?}");
        }
    }
}
