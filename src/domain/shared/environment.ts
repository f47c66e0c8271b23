/** The environments of S2-77, in the order in which changes travel. Production changes need approval. */
export const environmentNames = ['development', 'staging', 'production'] as const;

export type EnvironmentName = (typeof environmentNames)[number];
