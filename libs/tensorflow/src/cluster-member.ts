/** One process of a cluster. */
export interface ClusterMember {
  /** `host:port` of each process's server. */
  members: readonly string[];

  /** This process's index in `members`. */
  index: number;
}
