/**
 * The device on which golden tests train, by TensorFlow's name: the variable TEST_DEVICE (`npx nx run tests:gpu` sets it to the first
 * GPU), else the processor.
 */
export const testDevice = (): string => process.env['TEST_DEVICE'] ?? '/device:CPU:0';

/** The value of `trainer.accelerator` for that device. */
export const testAccelerator = (): 'cpu' | 'gpu' => (testDevice().includes('GPU') ? 'gpu' : 'cpu');
