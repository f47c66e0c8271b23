/** The form in which a CPF is shown: without the first three and the last two digits. */
export const maskedCpfPattern = /^\*{3}\.\d{3}\.\d{3}-\*{2}$/;

/** Hides the first three and the last two digits: `52998224725` is `***.982.247-**`. @param cpf eleven digits. */
export function maskedCpf(cpf: string): string {
  return `***.${cpf.slice(3, 6)}.${cpf.slice(6, 9)}-**`;
}

/** As people write it: `52998224725` is `529.982.247-25`. @param cpf eleven digits. */
export function writtenCpf(cpf: string): string {
  return `${cpf.slice(0, 3)}.${cpf.slice(3, 6)}.${cpf.slice(6, 9)}-${cpf.slice(9)}`;
}

/** As people write it: `12ABC34501DE35` is `12.ABC.345/01DE-35`. @param cnpj fourteen characters. */
export function writtenCnpj(cnpj: string): string {
  return `${cnpj.slice(0, 2)}.${cnpj.slice(2, 5)}.${cnpj.slice(5, 8)}/${cnpj.slice(8, 12)}-${cnpj.slice(12)}`;
}
