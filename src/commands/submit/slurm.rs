//! The scripts of an array job of Slurm, and the calls of `sbatch` that submit them.
//!
//! Options go to `sbatch` as arguments, and the scripts have the command alone. So no value of an option is quoted for
//! Slurm, and words of the command are quoted for the shell only.

use crate::text::shell_word;
use std::path::{Path, PathBuf};

/// The program that submits.
pub(super) const PROGRAM: &str = "sbatch";

/// How often a task is started again after a fault that may pass.
const MOST_RESTARTS: u32 = 5;

/// A command that is split over the tasks of an array.
#[derive(Debug)]
pub(super) struct ArrayJob {
    /// The command's name.
    pub(super) name: &'static str,
    /// Path of this program.
    pub(super) program: String,
    /// The command with its arguments.
    pub(super) words: Vec<String>,
    /// The folder of the results.
    pub(super) output: PathBuf,
    /// The folder of scripts and messages.
    pub(super) folder: PathBuf,
    /// The folder in which the tasks run.
    pub(super) directory: PathBuf,
    pub(super) tasks: u64,
    pub(super) is_exclusive: bool,
    pub(super) constraint: Option<String>,
    pub(super) processors: Option<u64>,
    pub(super) is_dry_run: bool,
}

/// A script and the call that submits it.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) script_path: PathBuf,
    pub(super) script: String,
    /// Arguments of [`PROGRAM`], the path of the script last.
    pub(super) arguments: Vec<String>,
}

impl Call {
    /// The call as a line of a shell.
    pub(super) fn command_line(&self) -> String {
        let words = self.arguments.iter().map(|word| shell_word(word));
        [PROGRAM.to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
    }
}

impl ArrayJob {
    /// The tasks.
    pub(super) fn array(&self) -> Call {
        let words = self.words.iter().map(String::as_str);
        let command =
            line([self.program.as_str()].into_iter().chain(words).chain(["--shard", "env"]));
        let script = format!(
            "#!/bin/sh\n\
             # Each task works on its own part of the blocks. A task can be started again at any time.\n\
             {command}\n\
             code=$?\n\
             # Code 75 is a fault that may pass.\n\
             if [ \"$code\" -eq 75 ] && [ \"${{SLURM_RESTART_COUNT:-0}}\" -lt {MOST_RESTARTS} ]; then\n    \
             scontrol requeue \"${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}\"\n\
             fi\n\
             exit \"$code\"\n"
        );
        let mut options = vec![
            format!("--job-name=blockrace-{}", self.name),
            format!("--array=0-{}", self.tasks - 1),
            "--requeue".to_owned(),
        ];
        options.extend(self.is_exclusive.then(|| "--exclusive".to_owned()));
        options.extend(self.constraint.as_ref().map(|feature| format!("--constraint={feature}")));
        options.extend(self.processors.map(|count| format!("--cpus-per-task={count}")));
        self.call("array.sh", script, options, "task-%a.txt")
    }

    /// The merge, after all tasks of job `array` have ended. It names what a failed task lacks.
    pub(super) fn merge(&self, array: &str) -> Call {
        let output = self.output.to_string_lossy();
        let script = format!(
            "#!/bin/sh\nexec {}\n",
            line([self.program.as_str(), "merge", output.as_ref()])
        );
        let options =
            vec!["--job-name=blockrace-merge".to_owned(), format!("--dependency=afterany:{array}")];
        self.call("merge.sh", script, options, "merge.txt")
    }

    fn call(&self, script: &str, content: String, options: Vec<String>, messages: &str) -> Call {
        let script_path = self.folder.join(script);
        let folder = pattern(&self.folder);
        let common = [
            "--parsable".to_owned(),
            "--nodes=1".to_owned(),
            "--ntasks=1".to_owned(),
            format!("--chdir={}", self.directory.display()),
            format!("--output={folder}/{messages}"),
            "--open-mode=append".to_owned(),
        ];
        let path = script_path.display().to_string();
        let arguments = common.into_iter().chain(options).chain([path]).collect();
        Call { script_path, script: content, arguments }
    }
}

/// Words as a line of a shell.
fn line<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(shell_word).collect::<Vec<_>>().join(" ")
}

/// A folder in the name of a file of messages, where Slurm replaces `%`.
fn pattern(folder: &Path) -> String {
    folder.display().to_string().replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> ArrayJob {
        ArrayJob {
            name: "replay",
            program: "/opt/blockrace".to_owned(),
            words: ["replay", "1-9", "--output", "my out"].map(str::to_owned).to_vec(),
            output: "/shared/my out".into(),
            folder: "/shared/100% out.slurm".into(),
            directory: "/shared".into(),
            tasks: 8,
            is_exclusive: true,
            constraint: Some("epyc".to_owned()),
            processors: None,
            is_dry_run: false,
        }
    }

    #[test]
    fn the_array_has_a_task_for_each_shard() {
        let call = job().array();
        let command = "/opt/blockrace replay 1-9 --output 'my out' --shard env\n";
        assert!(call.script.contains(command), "{}", call.script);
        for option in ["--array=0-7", "--exclusive", "--constraint=epyc", "--requeue"] {
            assert!(call.arguments.iter().any(|argument| argument == option), "{option}");
        }
        let messages = "--output=/shared/100%% out.slurm/task-%a.txt";
        assert!(call.arguments.iter().any(|argument| argument == messages), "{call:?}");
        assert_eq!(call.arguments.last().unwrap(), "/shared/100% out.slurm/array.sh");
    }

    #[cfg(unix)]
    #[test]
    fn a_task_is_started_again_after_a_fault_that_may_pass() {
        use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

        let folder = tempfile::tempdir().unwrap();
        let [fake, log, script] =
            ["scontrol", "log", "array.sh"].map(|name| folder.path().join(name));
        fs::write(&fake, format!("#!/bin/sh\necho \"$@\" > {}\n", log.display())).unwrap();
        fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
        for (code, restarts, is_again) in [(75, "0", true), (75, "5", false), (2, "0", false)] {
            let words = ["-c".to_owned(), format!("exit {code}")].to_vec();
            let failing = ArrayJob { program: "/bin/sh".to_owned(), words, ..job() };
            fs::write(&script, failing.array().script).unwrap();
            let mut task = Command::new("/bin/sh");
            task.arg(&script).env("PATH", &path).env("SLURM_RESTART_COUNT", restarts);
            task.env("SLURM_ARRAY_JOB_ID", "7").env("SLURM_ARRAY_TASK_ID", "3");
            assert_eq!(task.status().unwrap().code(), Some(code));
            let said = fs::read_to_string(&log).unwrap_or_default();
            assert_eq!(said, if is_again { "requeue 7_3\n" } else { "" });
            let _ = fs::remove_file(&log);
        }
    }

    #[test]
    fn the_merge_follows_the_array_whatever_its_outcome() {
        let call = job().merge("12");
        assert_eq!(call.script, "#!/bin/sh\nexec /opt/blockrace merge '/shared/my out'\n");
        assert!(call.command_line().contains("--dependency=afterany:12"), "{call:?}");
        assert!(!call.arguments.iter().any(|argument| argument == "--exclusive"));
    }
}
