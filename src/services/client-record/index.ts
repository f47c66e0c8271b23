/** What other areas may use of client records, besides the queries. */
export { countClientsOf, transferClients } from './client-ownership.service.ts';
