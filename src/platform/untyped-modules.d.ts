declare module 'swagger-ui-dist' {
  /** Folder that holds the viewer's files. */
  export function absolutePath(): string;
}
