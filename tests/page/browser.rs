//! A browser and its driver, for one trial.
//!
//! Owns both processes and the profile. Must not know what a page is about.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use libtest_mimic::Failed;
use serde_json::Value;
use tempfile::TempDir;
use thirtyfour::{ChromiumLikeCapabilities, DesiredCapabilities, WebDriver};
use tokio::runtime::Runtime;

/// Width in pixels, and what the system prefers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) width: u32,
    pub(crate) dark: bool,
}

pub(crate) struct Browser {
    runtime: Runtime,
    driver: WebDriver,
    service: Child,
    look: Look,
    /// Holds the profile and the pages.
    directory: TempDir,
}

impl Browser {
    /// Starts driver and browser, or says what is missing.
    pub(crate) fn start(look: Look) -> Result<Self, String> {
        let mut service = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| {
                format!("chromedriver: {error}; install chromium and chromium-driver")
            })?;
        match Self::connect(&mut service, look) {
            Ok((runtime, driver, directory)) => Ok(Self {
                runtime,
                driver,
                service,
                look,
                directory,
            }),
            Err(why) => {
                let _ = service.kill();
                let _ = service.wait();
                Err(why)
            }
        }
    }

    fn connect(service: &mut Child, look: Look) -> Result<(Runtime, WebDriver, TempDir), String> {
        let out = service.stdout.take().ok_or("the driver has no output")?;
        let mut lines = BufReader::new(out).lines().map_while(Result::ok);
        let port = lines
            .find_map(|line| {
                let (_, port) = line.split_once("started successfully on port ")?;
                port.trim_end_matches('.').parse::<u16>().ok()
            })
            .ok_or("the driver did not start")?;
        // Whatever it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut capabilities = DesiredCapabilities::chrome();
        let mut flags: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
        ]
        .map(String::from)
        .into();
        flags.push(format!(
            "--user-data-dir={}",
            directory.path().join("profile").display()
        ));
        flags.push(format!("--window-size={},1000", look.width.max(500)));
        if look.dark {
            flags.push(String::from("--force-dark-mode"));
        }
        for flag in &flags {
            capabilities
                .add_arg(flag)
                .map_err(|error| error.to_string())?;
        }
        if look.width < 500 {
            // No window gets as narrow as a phone by itself.
            let metrics = serde_json::json!({ "deviceMetrics": { "width": look.width, "height": 800, "pixelRatio": 1.0 } });
            capabilities
                .add_experimental_option("mobileEmulation", metrics)
                .map_err(|error| error.to_string())?;
        }
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        let driver = runtime
            .block_on(WebDriver::new(
                format!("http://127.0.0.1:{port}"),
                capabilities,
            ))
            .map_err(|error| format!("chromium: {error}"))?;
        Ok((runtime, driver, directory))
    }

    /// Opens a page from a file, at an address in it.
    pub(crate) fn open(&self, page: &str, address: &str) -> Result<(), Failed> {
        let file = self.directory.path().join("report.html");
        fs::write(&file, page)?;
        self.runtime.block_on(async {
            // From elsewhere, so that a change of address alone loads it too.
            self.driver.goto("about:blank").await?;
            self.driver
                .goto(format!("file://{}#{address}", file.display()))
                .await
        })?;
        Ok(())
    }

    /// Runs a script and returns what it returns.
    pub(crate) fn run(&self, script: &str) -> Result<Value, Failed> {
        let done = self
            .runtime
            .block_on(self.driver.execute(script, Vec::new()))?;
        Ok(done.json().clone())
    }

    /// Runs a script that calls back.
    pub(crate) fn wait_for(&self, script: &str) -> Result<Value, Failed> {
        let done = self
            .runtime
            .block_on(self.driver.execute_async(script, Vec::new()))?;
        Ok(done.json().clone())
    }

    /// Longer than the page waits for a reader who types.
    pub(crate) fn pause(&self) {
        std::thread::sleep(Duration::from_millis(300));
    }

    /// Leaves a picture in `target/tmp/pages`, for people.
    pub(crate) fn picture(&self, name: &str) -> Result<(), Failed> {
        let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
        fs::create_dir_all(&directory)?;
        let shade = if self.look.dark { "dark" } else { "light" };
        let file = directory.join(format!("{name}-{}-{shade}.png", self.look.width));
        self.runtime.block_on(self.driver.screenshot(&file))?;
        Ok(())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.runtime.block_on(self.driver.clone().quit());
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}
