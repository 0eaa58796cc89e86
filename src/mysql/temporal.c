/* Dates and times as the binlog holds them: those of MySQL 5.6 and MariaDB 10.1 on (big-endian,
 * with fractions), the older ones, and the packed numbers inside of MySQL's binary JSON.
 *
 * A zero part is a value of its own ("2026-00-00"), so months and days may be 0. What no column can
 * hold (month 13, hour 24 of a day) is refused.
 *
 * Thread: any. */
#include "mysql/decode.h"

enum { MICROS_PER_SECOND = 1000000, HOUR_MAX = 838 };

static bool is_date(const struct value_time *time)
{
	return time->year <= 9999 && time->month <= 12 && time->day <= 31;
}

static bool is_clock(const struct value_time *time, unsigned hour_max)
{
	return time->hour <= hour_max && time->minute <= 59 && time->second <= 59 &&
		time->micros < MICROS_PER_SECOND;
}

/* The fraction behind a time: 0 to 3 big-endian bytes that count steps of 10^-2, 10^-4 or 10^-6. */
static inline uint32_t fraction_read(const uint8_t *bytes, unsigned digits)
{
	switch (digits) {
	case 1:
	case 2:
		return bytes[0] * 10000U;
	case 3:
	case 4:
		return (uint32_t)load_be(bytes, 2) * 100;
	case 5:
	case 6:
		return (uint32_t)load_be(bytes, 3);
	default:
		return 0;
	}
}

bool date_read(const uint8_t *bytes, struct value_time *ret_time)
{
	uint32_t packed = load_u24le(bytes);
	*ret_time = (struct value_time){
		.year = (uint16_t)(packed >> 9), .month = packed >> 5 & 15, .day = packed & 31};
	return is_date(ret_time);
}

/* 17 bits of year * 13 + month, 5 of day, 5 of hour, 6 of minute, 6 of second. */
static inline void unpack_datetime(uint64_t packed, struct value_time *time)
{
	uint32_t months = (uint32_t)(packed >> 22) & 0x1ffff;
	time->year = (uint16_t)(months / 13);
	time->month = (uint8_t)(months % 13);
	time->day = packed >> 17 & 31;
	time->hour = packed >> 12 & 31;
	time->minute = packed >> 6 & 63;
	time->second = packed & 63;
}

static inline void unpack_clock(uint32_t packed, struct value_time *time)
{
	time->hour = packed >> 12 & 0x3ff;
	time->minute = packed >> 6 & 63;
	time->second = packed & 63;
}

bool datetime_read(const uint8_t *bytes, unsigned digits, struct value_time *ret_time)
{
	uint64_t packed = load_be(bytes, 5);
	*ret_time = (struct value_time){.digits = (uint8_t)digits};
	unpack_datetime(packed, ret_time);
	ret_time->micros = fraction_read(bytes + 5, digits);
	return packed >> 39 == 1 && is_date(ret_time) && is_clock(ret_time, 23);
}

bool time_read(const uint8_t *bytes, unsigned digits, struct value_time *ret_time)
{
	static const uint32_t steps[] = {0, 10000, 100, 1};
	unsigned size = (digits + 1) / 2;
	/* one number with the fraction as its lower bytes, from an offset that makes it positive */
	int64_t whole = (int64_t)load_be(bytes, 3 + size) - ((int64_t)0x800000 << 8 * size);
	uint64_t packed = (uint64_t)(whole < 0 ? -whole : whole);
	*ret_time = (struct value_time){.negative = whole < 0, .digits = (uint8_t)digits};
	ret_time->micros = (uint32_t)(packed & ((1ULL << 8 * size) - 1)) * steps[size];
	packed >>= 8 * size;
	unpack_clock((uint32_t)packed, ret_time);
	return packed >> 22 == 0 && is_clock(ret_time, HOUR_MAX);
}

/* Days since 1970 as a date, counted from March on, so that the odd day is a year's last: divisions
 * by constants as multiplications with a shift (C. Neri and L. Schneider, "Euclidean affine
 * functions and their application to calendar algorithms", 2022). */
static inline void unpack_days(uint32_t days, struct value_time *time)
{
	enum { DAYS_BEFORE_1970 = 719468, DAYS_OF_ERA = 146097, MARCH_TO_DECEMBER = 306 };
	uint32_t quarters = 4 * (days + DAYS_BEFORE_1970) + 3;
	uint32_t century = quarters / DAYS_OF_ERA;
	uint64_t scaled = 2939745ULL * (quarters % DAYS_OF_ERA | 3);
	uint32_t year = century * 100 + (uint32_t)(scaled >> 32);
	uint32_t day_of_year = (uint32_t)scaled / 2939745 / 4;
	uint32_t month = 2141 * day_of_year + 197913; /* in units of 1/65536 */
	bool is_next_year = day_of_year >= MARCH_TO_DECEMBER;
	time->year = (uint16_t)(year + is_next_year);
	time->month = (uint8_t)((month >> 16) - (is_next_year ? 12 : 0));
	time->day = (uint8_t)((month & 0xffff) / 2141 + 1);
}

static inline void unpack_unix(uint32_t seconds, struct value_time *time)
{
	uint32_t days = seconds / 86400, of_day = seconds - days * 86400;
	uint32_t minutes = of_day / 60;
	unpack_days(days, time);
	time->hour = (uint16_t)(minutes / 60);
	time->minute = (uint8_t)(minutes % 60);
	time->second = (uint8_t)(of_day - minutes * 60);
}

bool timestamp_read(const uint8_t *bytes, unsigned digits, struct value_time *ret_time)
{
	uint32_t seconds = (uint32_t)load_be(bytes, 4);
	*ret_time = (struct value_time){.digits = (uint8_t)digits};
	ret_time->micros = fraction_read(bytes + 4, digits);
	if (seconds || ret_time->micros) /* all zero is 0000-00-00 00:00:00, not 1970 */
		unpack_unix(seconds, ret_time);
	return ret_time->micros < MICROS_PER_SECOND;
}

bool old_timestamp_read(const uint8_t *bytes, struct value_time *ret_time)
{
	uint32_t seconds = load_u32le(bytes);
	*ret_time = (struct value_time){0};
	if (seconds)
		unpack_unix(seconds, ret_time);
	return true;
}

/* hhmmss as a signed decimal number of three bytes. */
bool old_time_read(const uint8_t *bytes, struct value_time *ret_time)
{
	uint32_t bits = load_u24le(bytes);
	bool negative = bits & 0x800000;
	uint32_t number = negative ? 0x1000000 - bits : bits;
	*ret_time = (struct value_time){.negative = negative,
		.hour = (uint16_t)(number / 10000),
		.minute = (uint8_t)(number / 100 % 100),
		.second = (uint8_t)(number % 100)};
	return is_clock(ret_time, HOUR_MAX);
}

/* YYYYMMDDhhmmss as a decimal number of eight bytes. */
bool old_datetime_read(const uint8_t *bytes, struct value_time *ret_time)
{
	uint64_t number = load_u64le(bytes);
	uint32_t date = (uint32_t)(number / 1000000), clock = (uint32_t)(number % 1000000);
	if (number > 99991231235959)
		return false;
	*ret_time = (struct value_time){.year = (uint16_t)(date / 10000),
		.month = (uint8_t)(date / 100 % 100),
		.day = (uint8_t)(date % 100),
		.hour = (uint16_t)(clock / 10000),
		.minute = (uint8_t)(clock / 100 % 100),
		.second = (uint8_t)(clock % 100)};
	return is_date(ret_time) && is_clock(ret_time, 23);
}

bool packed_datetime_read(int64_t packed, struct value_time *ret_time)
{
	*ret_time = (struct value_time){.digits = 6};
	if (packed < 0)
		return false;
	ret_time->micros = (uint32_t)(packed & 0xffffff);
	unpack_datetime((uint64_t)packed >> 24, ret_time);
	return is_date(ret_time) && is_clock(ret_time, 23);
}

bool packed_time_read(int64_t packed, struct value_time *ret_time)
{
	if (packed == INT64_MIN)
		return false;
	uint64_t size = (uint64_t)(packed < 0 ? -packed : packed);
	*ret_time = (struct value_time){.negative = packed < 0, .digits = 6};
	ret_time->micros = (uint32_t)(size & 0xffffff);
	size >>= 24;
	unpack_clock((uint32_t)size, ret_time);
	return size >> 22 == 0 && is_clock(ret_time, HOUR_MAX);
}
