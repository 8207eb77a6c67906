//! A training as the section of a description that asks for it.

use crate::network::{Clip, Training};

/// `train { .. }`, which reads back as the same training. What is left out there is not said here.
pub fn section(training: &Training) -> String {
    let mut settings = vec![
        format!("loss {}", call(&training.loss.to_string())),
        format!("optimizer {}", call(&training.optimizer.to_string())),
        format!("schedule {}", call(&training.schedule.to_string())),
        format!("batch {}", training.batch),
        format!("epochs {}", training.epochs),
    ];
    for (name, factor) in [("l1", training.l1), ("l2", training.l2)] {
        if factor != 0.0 {
            settings.push(format!("{name} {factor}"));
        }
    }
    match training.clip {
        Some(Clip::Norm(bound)) => settings.push(format!("clip norm={bound}")),
        Some(Clip::Value(bound)) => settings.push(format!("clip value={bound}")),
        None => {}
    }
    if !training.metrics.is_empty() {
        settings.push(format!("metrics {}", training.metrics.join(", ")));
    }
    if !training.augment.0.is_empty() {
        let steps = training.augment.0.iter();
        let steps: Vec<String> = steps.map(|step| call(&step.to_string())).collect();
        settings.push(format!("augment {}", steps.join(", ")));
    }
    if let Some(rule) = training.early_stopping {
        let (patience, delta) = (rule.patience, rule.min_delta);
        settings.push(format!("early_stop patience={patience}, min_delta={delta}"));
    }
    format!("train {{\n    {}\n}}\n", settings.join("\n    "))
}

/// `name:a=1,b=2` as `name(a=1, b=2)`.
fn call(text: &str) -> String {
    match text.split_once(':') {
        None => text.to_string(),
        Some((name, options)) => format!("{name}({})", options.replace(',', ", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::description::{Arguments, expand};
    use crate::zoo::ZOO;

    fn read(section: &str) -> Training {
        let text =
            format!("network n\ninput x: f32[4]\noutput y = softmax(dense(x, 2))\n{section}");
        let network = expand(&text, &Arguments::default(), None, &|_| Err(String::new()));
        network
            .unwrap_or_else(|e| panic!("{e}\n{text}"))
            .training
            .unwrap()
    }

    #[test]
    fn sections_read_back_as_they_were() {
        for exhibit in ZOO {
            let network = expand(exhibit.text, &Arguments::default(), None, &|_| {
                Err(String::new())
            })
            .unwrap();
            let training = network.training.unwrap();
            assert_eq!(read(&section(&training)), training, "{}", exhibit.name);
        }
        let training = Training {
            loss: "focal:gamma=1.5".parse().unwrap(),
            optimizer: "adamw:lr=3e-4".parse().unwrap(),
            schedule: "step:epochs=3,factor=0.1,warmup=7".parse().unwrap(),
            l1: 1e-7,
            clip: Some(Clip::Value(0.5)),
            metrics: "accuracy top5 precision recall f1 iou auc"
                .split(' ')
                .map(str::to_string)
                .collect(),
            augment: "rotate:7.5 cutout:4".parse().unwrap(),
            early_stopping: Some("patience=3,min_delta=0.01".parse().unwrap()),
            ..Training::default()
        };
        assert_eq!(read(&section(&training)), training);
    }
}
