// Jest loads a `.ts` hook with `require` first, which cannot load modules that await at their top level.
export { default } from './global-setup.ts';
