// Experiments to try: settings, and a question to answer before pressing Play.
const deep = (units, layers = 50) => Array(layers).fill(units).join(",");
const EXPERIMENTS = [
  {
    title: "Fifty sigmoid layers",
    question:
      "Which layer receives the smallest gradient, and how many times smaller is it than that of the last layer?",
    settings: { hidden: deep(2), activation: "sigmoid", optimizer: "SGD", lr: 0.5 },
    look: "The table of layers: each sigmoid multiplies the gradient by at most 1/4.",
  },
  {
    title: "The same with skip connections",
    question:
      "The loss of fifty sigmoid layers did not change. What changes if each layer adds its input to its output?",
    settings: { hidden: deep(2), activation: "sigmoid", optimizer: "SGD", lr: 0.5, residual: 1 },
    look: "No gradient vanishes, because each sum passes it on unchanged.",
  },
  {
    title: "The same with batch normalization",
    question:
      "Each layer subtracts the mean of the batch and divides by its deviation. How large are the gradients now?",
    settings: { hidden: deep(2), activation: "sigmoid", optimizer: "SGD", lr: 0.5, norm: 1, batch: 32 },
    look: "The inputs of the sigmoids keep a deviation of 1, so each layer passes on about nine tenths of its gradient.",
  },
  {
    title: "Dead rectifiers",
    question:
      "The rate is very large. How many neurons are constant for all points after an epoch, and can they recover?",
    settings: { activation: "relu", hidden: "8,8", optimizer: "SGD", lr: 12, init: "he" },
    look: "A neuron with an empty map has output 0 everywhere; its gradient is 0 and its weights stay as they are.",
  },
  {
    title: "A start with large weights",
    question:
      "The initial weights have a standard deviation of 3. Is the initial loss above or below ln 2 = 0.69, the loss of a guess?",
    settings: { activation: "tanh", init: "large", optimizer: "SGD", lr: 0.1 },
    look: "Above: the output is large where it is wrong. The maps have sharp edges, because the neurons are saturated.",
  },
  {
    title: "All weights zero",
    question: "All weights start at 0. Which parameters can change in the first steps?",
    settings: { init: "zeros", activation: "tanh", optimizer: "SGD", lr: 0.3 },
    look: "Only the last bias changes: each gradient of a weight contains a factor of 0.",
  },
  {
    title: "Too large a rate",
    question: "What does the curve of the loss look like if the rate is 30 times too large?",
    settings: { optimizer: "SGD", lr: 10, activation: "tanh" },
    look: "The loss jumps between batches and does not settle.",
  },
  {
    title: "Whole batch",
    question: "Each step uses all points. Is the curve of the loss smooth, and where is the loss after 20 epochs?",
    settings: { batch: 160, optimizer: "SGD", lr: 0.3 },
    look: "Twenty epochs are only twenty steps. Compare the next experiment.",
  },
  {
    title: "One point at a time",
    question: "Each step uses one point. Where is the loss after 20 epochs, and how noisy is its curve?",
    settings: { batch: 1, optimizer: "SGD", lr: 0.1 },
    look: "Twenty epochs are 3200 steps: more progress for the same work, and a rough curve.",
  },
  {
    title: "Without momentum",
    question: "Does plain gradient descent separate the arms of the spiral within 60 epochs?",
    settings: { set: "spiral", noise: 0, optimizer: "SGD", lr: 0.05, hidden: "12,12" },
    look: "It is still near a straight boundary. Remember the loss, and open the next experiment.",
  },
  {
    title: "With momentum",
    question: "The rate is the same, with momentum 0.9. Where is the loss after 60 epochs?",
    settings: { set: "spiral", noise: 0, optimizer: "Momentum", lr: 0.05, hidden: "12,12" },
    look: "Steps in a constant direction become up to ten times larger.",
  },
  {
    title: "Overfitting",
    question: "The data are noisy and the network is large. At which epoch does the validation loss rise again?",
    settings: { set: "circles", noise: 0.6, hidden: "16,16", activation: "relu", batch: 32 },
    look: "From epoch 20 on, while the training loss still falls: the boundary bends around single points.",
  },
  {
    title: "The same with weight decay",
    question: "Is the validation loss lower with weight decay, and the training loss too?",
    settings: {
      set: "circles",
      noise: 0.6,
      hidden: "16,16",
      activation: "relu",
      batch: 32,
      optimizer: "AdamW",
      decay: 1,
    },
    look: "The boundary is smoother, and the validation loss does not rise; the training loss stays higher.",
  },
];
