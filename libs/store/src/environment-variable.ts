/** An environment variable; undefined when it is not set or empty. */
export const environmentVariable = (name: string): string | undefined => {
  const value = process.env[name];
  return value === '' ? undefined : value;
};
