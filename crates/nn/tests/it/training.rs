//! A training by hand with everything that has a state.

use nn::{Checkpoint, EarlyStopping, Module, Optimizer, ReduceOnPlateau, WeightAverage};

pub(crate) struct Training<M> {
    pub(crate) net: M,
    pub(crate) optimizer: Optimizer,
    pub(crate) averages: [WeightAverage; 2],
    pub(crate) plateau: ReduceOnPlateau,
    pub(crate) stopping: EarlyStopping,
}

impl<M: Module> Training<M> {
    pub(crate) fn new(net: M, optimizer: Optimizer) -> Self {
        Training {
            net,
            optimizer,
            averages: [WeightAverage::exponential(0.7).unwrap().with_warmup(), WeightAverage::mean()],
            plateau: ReduceOnPlateau::new(0.5, 0).unwrap().cooldown(1),
            stopping: EarlyStopping::after(3),
        }
    }

    /// A step of the optimizer, and of all that goes by the loss.
    pub(crate) fn step(&mut self, gradients: &autograd::Gradients, loss: f64) {
        self.optimizer.step(&mut self.net, gradients);
        self.averages.iter_mut().for_each(|average| average.update(&self.net));
        self.optimizer.set_scale(self.plateau.observe(loss)).unwrap();
        self.stopping.observe(loss);
    }

    pub(crate) fn checkpoint(&mut self) -> Checkpoint<'_> {
        let [first, second] = &mut self.averages;
        let checkpoint = Checkpoint::new(&mut self.net).optimizer(&mut self.optimizer).average(first).average(second);
        checkpoint.plateau(&mut self.plateau).stopping(&mut self.stopping).seed(5).note("data", "v3")
    }
}
