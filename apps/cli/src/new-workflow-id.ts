/** `sst2-20261123-231500`: what it is and when it began, in the order of time. */
export function newWorkflowId(name: string): string {
  const time = new Date().toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${name.replace(/\.yaml$/, '')}-${time}`;
}
