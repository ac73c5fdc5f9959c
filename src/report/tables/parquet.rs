//! Writes the rows of a table as a Parquet file, and reads them back.
//!
//! A file has one group of rows, compressed with zstd. Its metadata has the schema version, the table, and what the
//! caller adds. A reader takes the columns by name, so that a later release may add columns.

use super::{BlockResult, Column, Kind, SCHEMA_VERSION, Table, TableRow};
use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel},
    column::writer::ColumnWriterImpl,
    data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type},
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::WriterProperties,
        reader::{FileReader as _, RowGroupReader, SerializedFileReader},
        writer::SerializedFileWriter,
    },
    schema::types::{Type, TypePtr},
};
use serde_json::Value;
use std::{collections::BTreeMap, fs::File, io::Write, sync::Arc};

/// Prefix of the keys of this program in the metadata of a file.
const PREFIX: &str = "blockrace.";

/// Key of the schema version in the metadata.
pub const VERSION_KEY: &str = "schema_version";

/// Key of the table's name in the metadata.
pub const TABLE_KEY: &str = "table";

/// A table cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum TableError {
    /// The Parquet library or the file failed.
    #[error("the Parquet file cannot be written or read")]
    Parquet(#[from] ParquetError),

    /// A row lacks a value, or has one of another type.
    #[error("column {column} has the value {value}")]
    Value { column: &'static str, value: Value },

    /// Another program or release wrote the file.
    #[error(
        "the file has {}, and this release reads schema version {SCHEMA_VERSION}",
        .found.as_ref().map_or_else(|| "no schema version".to_owned(), |found| format!("schema version {found}"))
    )]
    Version { found: Option<String> },
}

/// Metadata of a file, without the prefix of the keys.
pub type Metadata = BTreeMap<String, String>;

/// The rows of several blocks, by column.
#[derive(Debug)]
pub struct TableColumns {
    table: &'static Table,
    columns: Vec<(&'static Column, Values)>,
}

/// The values of a column, and for each row whether it has one.
#[derive(Debug)]
struct Values {
    present: Vec<i16>,
    values: Typed,
}

/// Values by type.
#[derive(Debug)]
enum Typed {
    Whole(Vec<i64>),
    Decimal(Vec<f64>),
    Text(Vec<ByteArray>),
}

impl TableColumns {
    /// No rows.
    pub fn new(table: &'static Table) -> Self {
        let column = |column: &'static Column| {
            let values = match column.kind {
                Kind::Whole => Typed::Whole(Vec::new()),
                Kind::Decimal => Typed::Decimal(Vec::new()),
                Kind::Text => Typed::Text(Vec::new()),
            };
            (column, Values { present: Vec::new(), values })
        };
        Self { table, columns: table.columns().map(column).collect() }
    }

    /// Appends the rows of a block.
    ///
    /// # Errors
    /// [`TableError::Value`].
    pub fn append(&mut self, block: &BlockResult) -> Result<(), TableError> {
        let of_block = block.block_values();
        for row in block.tables.get(self.table.name).into_iter().flatten() {
            for (place, (column, values)) in self.columns.iter_mut().enumerate() {
                let value = of_block.get(place).or_else(|| row.get(column.name));
                values.push(column, value.unwrap_or(&Value::Null))?;
            }
        }
        Ok(())
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`TableError::Parquet`].
    pub fn write(&self, metadata: &Metadata, out: impl Write + Send) -> Result<(), TableError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(concat!("blockrace ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(self.pairs(metadata)))
            .build();
        let mut writer = SerializedFileWriter::new(out, self.schema()?, Arc::new(properties))?;
        let mut group = writer.next_row_group()?;
        for (column, values) in &self.columns {
            let Some(mut writer) = group.next_column()? else { break };
            let present = column.nullable.then_some(values.present.as_slice());
            match &values.values {
                Typed::Whole(values) => put::<Int64Type>(writer.typed(), values, present)?,
                Typed::Decimal(values) => put::<DoubleType>(writer.typed(), values, present)?,
                Typed::Text(values) => put::<ByteArrayType>(writer.typed(), values, present)?,
            }
            writer.close()?;
        }
        group.close()?;
        writer.close()?;
        Ok(())
    }

    fn pairs(&self, metadata: &Metadata) -> Vec<KeyValue> {
        let own = [(VERSION_KEY, SCHEMA_VERSION.to_string()), (TABLE_KEY, self.table.name.into())];
        let more = metadata.iter().map(|(key, value)| (key.as_str(), value.clone()));
        let pair = |(key, value)| KeyValue::new(format!("{PREFIX}{key}"), value);
        own.into_iter().chain(more).map(pair).collect()
    }

    fn schema(&self) -> Result<TypePtr, TableError> {
        let field = |(column, _): &(&Column, Values)| {
            let (physical, logical) = match column.kind {
                Kind::Whole => (Physical::INT64, Some(LogicalType::integer(64, false))),
                Kind::Decimal => (Physical::DOUBLE, None),
                Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            };
            let repetition =
                if column.nullable { Repetition::OPTIONAL } else { Repetition::REQUIRED };
            let builder = Type::primitive_type_builder(column.name, physical);
            builder.with_repetition(repetition).with_logical_type(logical).build().map(Arc::new)
        };
        let fields = self.columns.iter().map(field).collect::<Result<Vec<_>, _>>()?;
        let schema = Type::group_type_builder(self.table.name).with_fields(fields).build()?;
        Ok(Arc::new(schema))
    }
}

impl Values {
    fn push(&mut self, column: &Column, value: &Value) -> Result<(), TableError> {
        if value.is_null() && column.nullable {
            self.present.push(0);
            return Ok(());
        }
        let wrong = || TableError::Value { column: column.name, value: value.clone() };
        match &mut self.values {
            // The file stores the bits; its schema says that they have no sign.
            Typed::Whole(values) => {
                values.push(value.as_u64().ok_or_else(wrong)?.cast_signed());
            }
            Typed::Decimal(values) => values.push(value.as_f64().ok_or_else(wrong)?),
            Typed::Text(values) => values.push(value.as_str().ok_or_else(wrong)?.into()),
        }
        self.present.push(1);
        Ok(())
    }
}

fn put<T: DataType>(
    writer: &mut ColumnWriterImpl<'_, T>,
    values: &[T::T],
    present: Option<&[i16]>,
) -> Result<(), ParquetError> {
    writer.write_batch(values, present, None).map(drop)
}

/// An open file of a table.
pub struct TableFile {
    reader: SerializedFileReader<File>,
    /// The metadata of the file.
    pub metadata: Metadata,
}

impl std::fmt::Debug for TableFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableFile").field("metadata", &self.metadata).finish_non_exhaustive()
    }
}

impl TableFile {
    /// Reads the metadata.
    ///
    /// # Errors
    /// [`TableError::Parquet`] and [`TableError::Version`].
    pub fn open(file: File) -> Result<Self, TableError> {
        let reader = SerializedFileReader::new(file)?;
        let pairs = reader.metadata().file_metadata().key_value_metadata();
        let own = |pair: &KeyValue| {
            let key = pair.key.strip_prefix(PREFIX)?;
            Some((key.to_owned(), pair.value.clone()?))
        };
        let metadata: Metadata = pairs.into_iter().flatten().filter_map(own).collect();
        let found = metadata.get(VERSION_KEY).cloned();
        if found.as_deref() != Some(&SCHEMA_VERSION.to_string()) {
            return Err(TableError::Version { found });
        }
        Ok(Self { reader, metadata })
    }

    /// Number of rows.
    pub fn row_count(&self) -> u64 {
        self.reader.metadata().file_metadata().num_rows().try_into().unwrap_or_default()
    }

    /// Reads all rows.
    ///
    /// # Errors
    /// [`TableError::Parquet`].
    pub fn rows(&self) -> Result<Vec<TableRow>, TableError> {
        let mut rows = Vec::new();
        for group in 0..self.reader.num_row_groups() {
            let group = self.reader.get_row_group(group)?;
            let count = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
            let first = rows.len();
            rows.resize(first + count, TableRow::new());
            for place in 0..group.num_columns() {
                let name = group.metadata().column(place).column_descr().name().to_owned();
                let values = column(group.as_ref(), place, count)?;
                for (row, value) in rows[first..].iter_mut().zip(values) {
                    row.insert(name.clone(), value);
                }
            }
        }
        Ok(rows)
    }
}

/// The values of a column of a group of rows.
fn column(
    group: &dyn RowGroupReader,
    place: usize,
    count: usize,
) -> Result<Vec<Value>, TableError> {
    use parquet::column::reader::{ColumnReader, ColumnReaderImpl};

    fn all<T: DataType>(
        mut reader: ColumnReaderImpl<T>,
        count: usize,
        is_nullable: bool,
        value: impl Fn(T::T) -> Value,
    ) -> Result<Vec<Value>, TableError> {
        let (mut present, mut values) = (Vec::new(), Vec::new());
        let levels = is_nullable.then_some(&mut present);
        reader.read_records(count, levels, None, &mut values)?;
        let mut values = values.into_iter().map(value);
        if !is_nullable {
            return Ok(values.collect());
        }
        let value = |level| if level == 0 { None } else { values.next() };
        Ok(present.into_iter().map(value).map(Option::unwrap_or_default).collect())
    }

    let is_nullable = group.metadata().column(place).column_descr().max_def_level() > 0;
    let text = |bytes: ByteArray| String::from_utf8_lossy(bytes.data()).into_owned().into();
    match group.get_column_reader(place)? {
        ColumnReader::Int64ColumnReader(reader) => {
            all(reader, count, is_nullable, |value| value.cast_unsigned().into())
        }
        ColumnReader::DoubleColumnReader(reader) => all(reader, count, is_nullable, Value::from),
        ColumnReader::ByteArrayColumnReader(reader) => all(reader, count, is_nullable, text),
        _ => Err(ParquetError::General("the column has an unknown type".to_owned()).into()),
    }
}
