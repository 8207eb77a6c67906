//! Runs whose values become no numbers.

use super::common::{network, options, strokes, without_counts};
use cnnc::train::fit::{Checkpoints, Data, fit};
use cnnc::train::observer::Blind;
use cnnc_models::checkpoint::Folder;
use cnnc_models::data::{Pixels, Samples};

fn data() -> (Samples, Samples) {
    (strokes(120, 1), strokes(6, 2))
}

#[test]
fn divergence_names_the_step_and_the_first_value() {
    let (train, validation) = data();
    let data = Data {
        train: &train,
        validation: &validation,
    };
    let text = "network wild
input image: f32[1, 8, 8]
x = dense(flatten(image), 16, relu)
output label = softmax(dense(x, 3))
";
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(40);
    options.training.optimizer = "sgd:lr=1e4".parse().unwrap();
    options.training.loss = "mse".parse().unwrap();
    options.training.schedule = Default::default();
    let text = text.replace("softmax(dense(x, 3))", "dense(x, 3)");
    let folder = Folder::open(folder.path(), 2).unwrap();
    options.checkpoints = Some(Checkpoints {
        folder: folder.clone(),
        every: Some(1),
    });
    let error = fit(&network(&text), data, &options, None, &mut Blind);
    let told = error.map(|_| ()).unwrap_err().to_string();
    insta::assert_snapshot!(without_counts(&told));
    let good = folder.newest().unwrap().unwrap();
    let is_finite = |t: &cnnc_ir::Tensor| t.to_f32().iter().all(|v| v.is_finite());
    assert!(good.tensors.iter().all(|(_, t)| is_finite(t)));
    assert!(good.progress.step > 0);
}

/// The slope of a square root at 0 is infinite, and 0 times that is no number: the loss of the step is still one.
#[test]
fn a_gradient_that_is_no_number_is_found_where_it_begins() {
    let dark = Samples::new([1, 8, 8], Pixels::U8(vec![0; 32 * 64]), vec![0; 32]).unwrap();
    let data = Data {
        train: &dark,
        validation: &dark,
    };
    let text = "network root
input image: f32[1, 8, 8]
x = dense(flatten(image), 4, init=zeros)
output label = softmax(dense(Sqrt(x), 3))
";
    let mut options = options(1);
    options.training.augment = Default::default();
    let error = fit(&network(text), data, &options, None, &mut Blind);
    let told = error.map(|_| ()).unwrap_err().to_string();
    insta::assert_snapshot!(without_counts(&told));
}
