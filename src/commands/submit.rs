//! `blockrace submit`: gives a command to a batch system, split into shards.

mod slurm;

use self::slurm::{ArrayJob, Call};
use super::{Context, Outcome};
use crate::{
    block::range::BlockSpec,
    cache::Location,
    cli::{self, BatchSystem, Cli, Command, SlurmArgs, SubmitArgs},
    executors::Registry,
    input,
    output::{diagnose, print},
    text::one_line,
};
use eyre::{OptionExt as _, WrapErr as _, bail, ensure};
use std::{
    env, fs, io,
    path::{Path, PathBuf, absolute},
    process,
};

pub(super) fn run(
    args: SubmitArgs,
    registry: &Registry,
    context: &Context,
) -> eyre::Result<Outcome> {
    let BatchSystem::Slurm(args) = args.system;
    let job = array_job(args, registry, context)?;
    if job.is_dry_run {
        return print_calls(&job);
    }
    write_scripts(&job)?;
    let array = submit(&job.array())?;
    let merge = submit(&job.merge(&array));
    let merge = merge.wrap_err_with(|| format!("job {array} runs, and its merge does not"))?;
    let (tasks, folder) = (job.tasks, job.folder.display());
    print(format_args!("job {array} has {tasks} tasks, and job {merge} merges their results"))?;
    print(format_args!("scripts and messages: {folder}"))?;
    let output = job.output.display();
    print(format_args!("progress: blockrace status {output} --shards {tasks}"))?;
    Ok(Outcome::Verified)
}

/// Checks the command, and describes its job.
fn array_job(args: SlurmArgs, registry: &Registry, context: &Context) -> eyre::Result<ArrayJob> {
    let words = [&["blockrace".to_owned()], &args.command[..]].concat();
    let inner = cli::parse_words(registry, &words).map_err(|error| {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        eyre::eyre!("{}", first.trim_start_matches("error: "))
    });
    let inner = inner.wrap_err("the command cannot be submitted")?;
    let Task { name, output } = task(inner, args.exclusive)?;
    if let Some(feature) = &args.constraint {
        let is_plain = !feature.chars().any(|char| char.is_whitespace() || char.is_control());
        ensure!(is_plain && !feature.is_empty(), "a constraint has no spaces");
    }
    let mut words = args.command;
    let is_cache = |word: &String| {
        let option = word.split_once('=').map_or(word.as_str(), |(option, _)| option);
        ["--cache-dir", "--cache"].contains(&option)
    };
    if context.is_cache_named && !words.iter().any(is_cache) {
        words.push("--cache-dir".to_owned());
        words.push(match context.cache.folder_on_disk() {
            Some(folder) => text(&absolute(folder)?)?,
            None => text(&context.cache_dir)?,
        });
    }
    let directory = env::current_dir().wrap_err("the current folder is not known")?;
    let (output, mut folder) = match Location::parse(&output)? {
        Location::Folder(output) => (absolute(&output)?, absolute(&output)?.into_os_string()),
        // The scripts are in the current folder.
        Location::Bucket(_) => {
            let name = output.file_name().unwrap_or_default();
            let folder = directory.join(name).into_os_string();
            (output, folder)
        }
    };
    folder.push(".slurm");
    Ok(ArrayJob {
        name,
        program: text(&env::current_exe().wrap_err("the path of this program is not known")?)?,
        words,
        output,
        folder: folder.into(),
        directory,
        tasks: args.tasks.get(),
        is_exclusive: args.exclusive,
        constraint: args.constraint,
        processors: args.cpus.map(Into::into),
        is_dry_run: args.dry_run,
    })
}

/// A command that can be split.
#[derive(Debug)]
struct Task {
    name: &'static str,
    output: PathBuf,
}

/// Refuses commands that several tasks cannot share.
fn task(inner: Cli, is_exclusive: bool) -> eyre::Result<Task> {
    let (name, blocks, output, files) = match inner.command {
        Command::Verify(args) => ("verify", args.blocks, args.output, vec![args.json]),
        Command::Analyze(args) => {
            ("analyze", args.blocks, args.output, vec![args.json, args.csv, args.html])
        }
        Command::Replay(args) => {
            ensure!(
                is_exclusive,
                "replay takes times, which other jobs on the same node distort; add --exclusive before replay"
            );
            ensure!(args.save_baseline.is_none(), "a part of a run is no baseline");
            let files = vec![args.json, args.csv, args.markdown, args.html, args.svg];
            ("replay", args.blocks, args.output, files)
        }
        _ => bail!("only verify, analyze and replay can be submitted"),
    };
    if name == "analyze" && !is_exclusive {
        diagnose(
            "note: analyze takes times, which other jobs on the same node distort; see --exclusive",
        );
    }
    let output = output.ok_or_eyre(
        "the tasks keep their results in one folder; name it with --output, on a file system of all nodes",
    )?;
    ensure!(blocks.shard.shard.is_none(), "submit gives each task its own --shard");
    ensure!(
        files.iter().all(Option::is_none),
        "all tasks would write the same file; write it with blockrace merge when they are done"
    );
    let is_stream =
        matches!(&blocks.blocks, Some(BlockSpec::File(path)) if path == Path::new(input::STDIN));
    ensure!(!is_stream, "the tasks cannot read standard input; write the list to a file");
    Ok(Task { name, output })
}

/// The path as text, since a script is text.
fn text(path: &Path) -> eyre::Result<String> {
    let text = path.to_str().ok_or_eyre("a path is not text in UTF-8")?;
    Ok(text.to_owned())
}

fn print_calls(job: &ArrayJob) -> eyre::Result<Outcome> {
    for (position, call) in [job.array(), job.merge("JOB")].into_iter().enumerate() {
        let gap = if position == 0 { "" } else { "\n" };
        print(format_args!("{gap}# {}", call.script_path.display()))?;
        call.script.lines().try_for_each(print)?;
        print(format_args!("\n# the call\n{}", call.command_line()))?;
    }
    Ok(Outcome::Verified)
}

fn write_scripts(job: &ArrayJob) -> eyre::Result<()> {
    let folder = &job.folder;
    fs::create_dir_all(folder).wrap_err_with(|| format!("cannot create {}", folder.display()))?;
    for Call { script_path: path, script, .. } in [job.array(), job.merge("JOB")] {
        fs::write(&path, script).wrap_err_with(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Calls `sbatch`, and returns the number of the job.
fn submit(call: &Call) -> eyre::Result<String> {
    let output = match process::Command::new(slurm::PROGRAM).args(&call.arguments).output() {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
            bail!("there is no sbatch here; run this on a node of the cluster, or see --dry-run")
        }
        output => output.wrap_err("sbatch cannot be run")?,
    };
    let [said, complaint] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    ensure!(output.status.success(), "sbatch refused the job: {}", one_line(complaint.trim()));
    // With several clusters, the name of the cluster follows.
    let id = said.trim().split(';').next().unwrap_or_default();
    let is_number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    ensure!(is_number, "sbatch named no job: {}", one_line(said.trim()));
    Ok(id.to_owned())
}
