//! Small valid documents that carry one word.
//!
//! Owns the least bytes that a reader of each format accepts. Knows nothing of what the word is.

use std::io;

use serde_json::json;

use crate::testbed::make::{Body, Member, zip_bytes};

/// What stands for a name that nobody told, such as that of a sheet.
pub const NAME: &str = "sample";

/// A document of the format that the extension (with its dot) stands for; plain text for any
/// other. The word, which must be letters and digits, stands in it at least once, in text formats
/// at head, middle and tail.
///
/// # Errors
///
/// When a ZIP-based format cannot be packed; in memory, so in practice never.
pub fn document(extension: &str, word: &str) -> io::Result<Vec<u8>> {
    let text = match extension {
        ".docx" => return docx(word),
        ".xlsx" => return xlsx(word),
        ".pdf" => return Ok(pdf(word)),
        ".json" => json!({ "title": word, "items": [word], "end": word }).to_string() + "\n",
        ".ipynb" => json!({
            "cells": [{ "cell_type": "markdown", "id": "a1", "metadata": {}, "source": [word] }],
            "metadata": {}, "nbformat": 4, "nbformat_minor": 5
        })
        .to_string(),
        ".csv" => format!("name,value\n{word},1\nmiddle {word},2\nend,{word}\n"),
        ".html" => format!(
            "<!doctype html>\n<html><head><title>{word}</title></head>\n\
             <body><p>{word}</p><p>end {word}</p></body></html>\n"
        ),
        ".xml" => format!(
            "<?xml version=\"1.0\"?>\n<notes><note>{word}</note><note>{word}</note>\
             <end>{word}</end></notes>\n"
        ),
        // Enough for whoever tells a type by its first bytes; nobody can show it.
        ".gif" => format!("GIF89a\n{word}\na note on {word}\nthe end of {word}\n"),
        ".yaml" | ".yml" => format!("title: {word}\nitems:\n  - {word}\nend: {word}\n"),
        ".toml" => format!("title = \"{word}\"\nitems = [\"{word}\"]\nend = \"{word}\"\n"),
        ".py" => format!("title = \"{word}\"\nitems = [\"{word}\"]\nend = \"{word}\"\n"),
        ".js" | ".ts" => {
            format!("const title = \"{word}\";\nconst items = [\"{word}\"];\n// {word}\n")
        }
        ".rs" => format!("//! {word}\n\nconst TITLE: &str = \"{word}\";\n// {word}\n"),
        ".sql" => format!("-- {word}\nselect '{word}';\n-- {word}\n"),
        ".md" => format!("# {word}\n\nA note on {word}.\n\nThe end of {word}\n"),
        _ => format!("{word}\na note on {word}\nthe end of {word}\n"),
    };
    Ok(text.into_bytes())
}

fn parts(parts: &[(&str, String)]) -> io::Result<Vec<u8>> {
    let members: Vec<Member> = parts
        .iter()
        .map(|(name, content)| Member {
            name: (*name).to_owned(),
            body: Body::File(
                format!("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n{content}")
                    .into_bytes(),
            ),
        })
        .collect();
    zip_bytes(&members)
}

const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const MIME: &str = "application/vnd.openxmlformats-officedocument";

fn types(part: &str, kind: &str) -> String {
    format!(
        "<Default Extension=\"rels\" \
         ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\
         <Default Extension=\"xml\" ContentType=\"application/xml\"/>\
         <Override PartName=\"{part}\" ContentType=\"{MIME}.{kind}+xml\"/>"
    )
}

fn relations(kind: &str, targets: &[&str]) -> String {
    let all: String = (1..)
        .zip(targets)
        .map(|(number, target)| {
            format!(
                "<Relationship Id=\"rId{number}\" Type=\"{OFFICE}/{kind}\" Target=\"{target}\"/>"
            )
        })
        .collect();
    format!("<Relationships xmlns=\"{PACKAGE}/relationships\">{all}</Relationships>")
}

fn docx(word: &str) -> io::Result<Vec<u8>> {
    parts(&[
        (
            "[Content_Types].xml",
            format!(
                "<Types xmlns=\"{PACKAGE}/content-types\">{}</Types>",
                types("/word/document.xml", "wordprocessingml.document.main")
            ),
        ),
        (
            "_rels/.rels",
            relations("officeDocument", &["word/document.xml"]),
        ),
        (
            "word/document.xml",
            format!(
                "<w:document \
                 xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\">\
                 <w:body><w:p><w:r><w:t>{word}</w:t></w:r></w:p></w:body></w:document>"
            ),
        ),
    ])
}

/// Two sheets with the word in their first cell: one of the name that new workbooks have, one of the name that is
/// made up where a tool wants one.
fn xlsx(word: &str) -> io::Result<Vec<u8>> {
    const SHEET: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let sheet = format!(
        "<worksheet xmlns=\"{SHEET}\"><sheetData><row r=\"1\">\
         <c r=\"A1\" t=\"inlineStr\"><is><t>{word}</t></is></c></row></sheetData></worksheet>"
    );
    let part = |number: u8| {
        format!(
            "<Override PartName=\"/xl/worksheets/sheet{number}.xml\" \
             ContentType=\"{MIME}.spreadsheetml.worksheet+xml\"/>"
        )
    };
    parts(&[
        (
            "[Content_Types].xml",
            format!(
                "<Types xmlns=\"{PACKAGE}/content-types\">{}{}{}</Types>",
                types("/xl/workbook.xml", "spreadsheetml.sheet.main"),
                part(1),
                part(2),
            ),
        ),
        (
            "_rels/.rels",
            relations("officeDocument", &["xl/workbook.xml"]),
        ),
        (
            "xl/workbook.xml",
            format!(
                "<workbook xmlns=\"{SHEET}\" xmlns:r=\"{OFFICE}\"><sheets>\
                 <sheet name=\"Sheet1\" sheetId=\"1\" r:id=\"rId1\"/>\
                 <sheet name=\"{NAME}\" sheetId=\"2\" r:id=\"rId2\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            relations(
                "worksheet",
                &["worksheets/sheet1.xml", "worksheets/sheet2.xml"],
            ),
        ),
        ("xl/worksheets/sheet1.xml", sheet.clone()),
        ("xl/worksheets/sheet2.xml", sheet),
    ])
}

/// One page with one line of text, uncompressed (ISO 32000-1, 7.5).
fn pdf(word: &str) -> Vec<u8> {
    let line = format!("BT /F1 12 Tf 20 100 Td ({word}) Tj ET");
    let objects = [
        String::from("<< /Type /Catalog /Pages 2 0 R >>"),
        String::from("<< /Type /Pages /Kids [3 0 R] /Count 1 >>"),
        String::from(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 200] /Contents 4 0 R \
             /Resources << /Font << /F1 5 0 R >> >> >>",
        ),
        format!("<< /Length {} >>\nstream\n{line}\nendstream", line.len()),
        String::from("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"),
    ];
    let mut text = String::from("%PDF-1.4\n");
    let mut table = String::from("0000000000 65535 f \n");
    for (number, object) in objects.iter().enumerate() {
        table += &format!("{:010} 00000 n \n", text.len());
        text += &format!("{} 0 obj\n{object}\nendobj\n", number + 1);
    }
    let start = text.len();
    let size = objects.len() + 1;
    text += &format!(
        "xref\n0 {size}\n{table}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    );
    text.into_bytes()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn every_format_carries_the_word() {
        for extension in [
            ".txt", ".md", ".json", ".csv", ".html", ".xml", ".yaml", ".toml", ".py", ".js", ".rs",
            ".sql", ".ipynb", ".pdf",
        ] {
            let text = String::from_utf8(document(extension, "w0rd").unwrap()).unwrap();
            assert!(text.contains("w0rd"), "{extension}");
        }
        let json = document(".json", "w0rd").unwrap();
        serde_json::from_slice::<serde_json::Value>(&json).unwrap();
        let text = String::from_utf8(document(".toml", "w0rd").unwrap()).unwrap();
        toml::from_str::<toml::Table>(&text).unwrap();
        for (extension, part) in [
            (".docx", "word/document.xml"),
            (".xlsx", "xl/worksheets/sheet1.xml"),
            (".xlsx", "xl/worksheets/sheet2.xml"),
        ] {
            let bytes = document(extension, "w0rd").unwrap();
            let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
            let text = io::read_to_string(archive.by_name(part).unwrap()).unwrap();
            assert!(text.contains("w0rd"), "{extension}");
        }
    }
}
