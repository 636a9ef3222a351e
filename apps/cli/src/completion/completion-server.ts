/** The hidden command that the scripts of the shells call. */
export const completionServer = 'completion-server';
