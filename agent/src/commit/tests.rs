//! The last steps of an attempt, each of them done twice and with others in the way.

use vc_protocol::id::{AttemptId, AttemptNo, JobId, TaskNo};

use super::*;

struct Place {
    dir: tempfile::TempDir,
    to: Destination,
}

fn place_for(output: &str) -> Place {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().to_owned();
    let temp = root.join(".vc-tmp");
    fs::create_dir(&temp).unwrap();
    let to = Destination { temp, output: root.join(output), root, free: u64::MAX };
    Place { dir, to }
}

fn attempt() -> AttemptId {
    AttemptId { job: JobId(7), task: TaskNo(0), no: AttemptNo(3) }
}

async fn sealed(to: &Destination, content: &str) -> Proven {
    let scratch = Scratch::new(to, attempt(), "mp4").unwrap();
    let part = scratch.part();
    fs::write(&part, content).unwrap();
    scratch.keep_part();
    seal(part).await.unwrap()
}

fn left_in_temp(to: &Destination) -> usize {
    fs::read_dir(&to.temp).unwrap().count()
}

#[tokio::test]
async fn a_sealed_part_takes_its_name_in_new_folders_and_again_without_harm() {
    let Place { dir: _dir, to } = place_for("a/b/c.mp4");
    let proven = sealed(&to, "film").await;
    assert_eq!((proven.size, proven.hash), (4, *blake3::hash(b"film").as_bytes()));
    for _ in 0..2 {
        place(to.clone(), proven.clone(), BootTime::now()).await.unwrap();
        assert_eq!(fs::read(&to.output).unwrap(), b"film");
        assert_eq!(left_in_temp(&to), 0);
    }
}

#[tokio::test]
async fn the_same_file_there_is_committed_and_another_is_kept() {
    let Place { dir: _dir, to } = place_for("c.mp4");
    let proven = sealed(&to, "film").await;
    fs::write(&to.output, "film").unwrap();
    place(to.clone(), proven.clone(), BootTime::now()).await.unwrap();
    assert_eq!(left_in_temp(&to), 0, "the second copy is gone");
    let other = sealed(&to, "FILM").await;
    let taken = place(to.clone(), other, BootTime::now()).await.unwrap_err();
    assert!(matches!(taken, CommitError::Taken), "{taken:?}");
    assert_eq!(taken.failure().class, FailureClass::Job);
    assert_eq!(fs::read(&to.output).unwrap(), b"film");
}

#[tokio::test]
async fn a_lost_part_is_infrastructure_and_an_old_grant_is_asked_for_again() {
    let Place { dir: _dir, to } = place_for("c.mp4");
    let proven = sealed(&to, "film").await;
    let old = BootTime::now().earlier(11.0);
    let refused = place(to.clone(), proven.clone(), old).await.unwrap_err();
    assert!(matches!(refused, CommitError::GrantTooOld), "{refused:?}");
    assert!(!to.output.exists());
    fs::remove_file(to.temp.join(part_name(&proven))).unwrap();
    let gone = place(to.clone(), proven, BootTime::now()).await.unwrap_err();
    assert!(matches!(gone, CommitError::Gone), "{gone:?}");
    assert_eq!(gone.failure().class, FailureClass::Infrastructure);
}

#[tokio::test]
async fn an_output_that_took_its_place_is_never_taken_away_again() {
    use std::os::unix::fs::PermissionsExt;
    let Place { dir: _dir, to } = place_for("a/c.mp4");
    let folder = to.output.parent().unwrap().to_owned();
    fs::create_dir(&folder).unwrap();
    let proven = sealed(&to, "film").await;
    // Files can be made there, but the folder cannot be opened to be flushed.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o300)).unwrap();
    if File::open(&folder).is_ok() {
        return; // The superuser opens everything.
    }
    let unsure = place(to.clone(), proven, BootTime::now()).await.unwrap_err();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    assert!(matches!(unsure, CommitError::Io { .. }), "{unsure:?}");
    assert_eq!(fs::read(&to.output).unwrap(), b"film");
}

#[tokio::test]
async fn a_part_name_from_a_journal_cannot_lead_out_of_its_folder() {
    let Place { dir, to } = place_for("c.mp4");
    fs::write(dir.path().join("victim"), "film").unwrap();
    let mut proven = sealed(&to, "film").await;
    proven.part = "../victim".into();
    place(to.clone(), proven, BootTime::now()).await.unwrap_err();
    assert!(dir.path().join("victim").exists());
}

#[test]
fn dropping_the_names_removes_all_files_of_the_run_and_no_others() {
    let Place { dir: _dir, to } = place_for("c.mp4");
    let scratch = Scratch::new(&to, attempt(), "mp4").unwrap();
    let other = to.temp.join("77.3.abc.part.mp4");
    let log = format!("{}-0.log", scratch.pass_log().display());
    for path in [scratch.part(), PathBuf::from(log), other.clone()] {
        fs::write(path, "x").unwrap();
    }
    drop(scratch);
    assert_eq!(left_in_temp(&to), 1);
    assert!(other.exists());
}

#[test]
fn a_rename_never_replaces() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("a"), dir.path().join("b"));
    fs::write(&from, "1").unwrap();
    fs::write(&to, "2").unwrap();
    let refused = rename_without_replacing(&from, &to).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!((fs::read(&from).unwrap(), fs::read(&to).unwrap()), (b"1".to_vec(), b"2".to_vec()));
}
