/** The start of the line that a worker prints once it polls its queues. */
export const readyLine = 'worker ready:';
