//! The container image: its layout, and its program in the place that an engine would give it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use xshell::{Shell, cmd};

use crate::{Tracker, eventually, file};

/// The unpacked layout.
struct Layout {
    sh: Shell,
    folder: PathBuf,
}

impl Layout {
    fn json(&self, name: &str) -> Value {
        let text = self.sh.read_file(self.folder.join(name)).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The file that a descriptor names, which is as it says.
    fn blob(&self, descriptor: &Value) -> String {
        let sum = descriptor["digest"]
            .as_str()
            .unwrap()
            .strip_prefix("sha256:")
            .unwrap();
        let name = format!("blobs/sha256/{sum}");
        let file = self.folder.join(&name);
        assert_eq!(
            file.metadata().unwrap().len(),
            descriptor["size"].as_u64().unwrap()
        );
        assert_eq!(sha256(&self.sh, &file), sum);
        name
    }
}

fn sha256(sh: &Shell, file: &Path) -> String {
    let said = cmd!(sh, "sha256sum {file}").quiet().read().unwrap();
    said.split(' ').next().unwrap().to_owned()
}

fn words(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect()
}

#[test]
fn the_image_is_what_it_says_and_its_program_serves() {
    let sh = Shell::new().unwrap();
    let temporary = sh.create_temp_dir().unwrap();
    let (image, folder) = (
        file(".tar"),
        sh.create_dir(temporary.path().join("layout")).unwrap(),
    );
    cmd!(sh, "tar --extract --file {image} --directory {folder}")
        .quiet()
        .run()
        .unwrap();
    let layout = Layout { sh, folder };
    let sh = &layout.sh;
    assert_eq!(layout.json("oci-layout")["imageLayoutVersion"], "1.0.0");
    let manifest = layout.json(&layout.blob(&layout.json("index.json")["manifests"][0]));
    let config_name = layout.blob(&manifest["config"]);
    let config = layout.json(&config_name);
    let layer_name = layout.blob(&manifest["layers"][0]);
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
    let saved = &layout.json("manifest.json")[0];
    assert_eq!(saved["Config"], config_name.as_str());
    assert_eq!(words(&saved["Layers"]), [layer_name.as_str()]);

    let layer = temporary.path().join("layer.tar");
    let packed = layout.folder.join(layer_name);
    let unpacked = cmd!(sh, "gzip --decompress --stdout {packed}")
        .quiet()
        .output()
        .unwrap();
    sh.write_file(&layer, unpacked.stdout).unwrap();
    let sum = format!("sha256:{}", sha256(sh, &layer));
    assert_eq!(words(&config["rootfs"]["diff_ids"]), [sum]);
    let root = sh.create_dir(temporary.path().join("root")).unwrap();
    cmd!(
        sh,
        "tar --extract --file {layer} --directory {root} --numeric-owner --same-owner"
    )
    .quiet()
    .run()
    .unwrap();

    let config = &config["config"];
    let variables = words(&config["Env"]).into_iter();
    let environment: BTreeMap<String, String> = variables
        .map(|word| word.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let user = format!("--userspec={}", config["User"].as_str().unwrap());
    let within = ["/usr/sbin/chroot", &user, root.to_str().unwrap()];
    let program = words(&config["Entrypoint"]);
    let proc = sh.create_dir(root.join("proc")).unwrap();
    let mount = format!("mount -t proc proc {}", proc.display());
    let tracker = Tracker::start(&mount, &[&within[..], &program].concat(), environment);
    let probe = words(&config["Healthcheck"]["Test"]);
    assert_eq!(probe[0], "CMD");
    let probe = [&within[..], &probe[1..]].concat();
    let said = eventually("health", || tracker.ask(&probe).ok());
    assert!(said.contains("serving"), "{said}");
    let ctl = [&within[..], &["/usr/local/bin/opentracker-ctl"]].concat();
    tracker.assert_serves(&ctl);
    // A name is looked up without a file of the system.
    sh.write_file(root.join("etc/hosts"), "127.0.0.1 tracker.example\n")
        .unwrap();
    let by_name = [
        &ctl[..],
        &[
            "scrape",
            "http://tracker.example:6969/announce",
            crate::HASH,
        ],
    ];
    let said = tracker.ask(&by_name.concat()).unwrap();
    assert!(said.contains("1 seeder"), "{said}");
}

#[test]
fn a_stranger_reads_the_image() {
    let sh = Shell::new().unwrap();
    let image = file(".tar");
    for kind in ["oci-archive", "docker-archive"] {
        let image = format!("{kind}:{}", image.display());
        let said = cmd!(sh, "skopeo inspect --no-tags --config {image}")
            .quiet()
            .read()
            .unwrap();
        let config: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(config["config"]["User"], "65534:65534", "{kind}");
        let temporary = sh.create_temp_dir().unwrap();
        let copy = format!("dir:{}", temporary.path().display());
        // It verifies each blob as it copies.
        cmd!(sh, "skopeo copy --quiet --insecure-policy {image} {copy}")
            .quiet()
            .run()
            .unwrap();
    }
}
