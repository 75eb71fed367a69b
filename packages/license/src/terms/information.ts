import { malformed } from '../bytes.ts';
import { quoted } from '../errors.ts';
import { Fields } from '../fields.ts';
import { LIMITS } from '../limits.ts';

/**
 * What a license carries for people and programs, and no server decides by: checked, so that whoever shows it need not fear it. Read
 * from the document by who wants it.
 */
export function checkInformation(fields: Fields): void {
  if (fields.has('texts')) {
    const languages = new Fields(fields.take('texts'), fields.at('texts'));
    for (const language of languages.names()) {
      if (!/^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*$/.test(language))
        throw malformed(`${languages.path} has the language ${quoted(language)}, which is none like en or de-AT`);
      checkTexts(new Fields(languages.take(language), languages.at(language)), LIMITS.licenseTextBytes);
    }
  }
  if (fields.has('customer')) checkTexts(new Fields(fields.take('customer'), fields.at('customer')), LIMITS.nameBytes);
  if (fields.has('vendorData') && fields.base64url('vendorData').length > LIMITS.vendorDataBytes)
    throw malformed(`${fields.at('vendorData')} is above ${LIMITS.vendorDataBytes} bytes`);
}

function checkTexts(fields: Fields, maxBytes: number): void {
  const names = fields.names();
  if (names.length > LIMITS.licenseTexts)
    throw malformed(`${fields.path} has ${names.length} texts, ${LIMITS.licenseTexts} allowed`);
  for (const name of names) {
    if (!/^[A-Za-z][A-Za-z0-9._-]{0,63}$/.test(name))
      throw malformed(
        `${fields.path} has a text ${quoted(name)}: names are letters, digits, ".", "_", "-", first a letter, at most 64`,
      );
    fields.name(name, maxBytes);
  }
}
