# DncSpellings: people, and the many ways in which their identifiers are written
#
# Each case is a contact and an entry of a list that mean the same person, made at
# random from the facts below.  They test one rule: the entry's key is among the
# contact's keys, or the contact has none.

package DncSpellings;

use strict;
use warnings;
use utf8;

# Countries: calling code, trunk prefix (dialled in front of the national number),
# exit code (in front of the calling code), and national numbers without the trunk
# prefix; x is any digit.  From the numbering plans that ITU publishes.
my %countries = (
	DE => [ 49, '0', '00', '30 2xxxxxx', '171 2xxxxxx', '89 636xxxxx' ],
	US => [ 1, '1', '011', '212 555 xxxx', '650 253 0xxx', '415 555 2xxx', '865 555 1xxx' ],
	CA => [ 1, '1', '011', '613 555 01xx', '416 555 2xxx' ],
	GB => [ 44, '0', '00', '20 7031 3xxx', '7912 345 xxx', '121 234 5xxx' ],
	IT => [ 39, '', '00', '06 6981 2xxx', '02 3661 8xxx', '312 345 6xxx' ],
	FR => [ 33, '0', '00', '1 2345 67xx', '6 12 34 5x xx' ],
	BR => [ 55, '0', '00', '11 9 8123 4xxx', '21 9 7234 5xxx', '11 2345 6xxx' ],
	AR => [ 54, '0', '00', '9 11 2345 6xxx', '11 2345 6xxx' ],
	MX => [ 52, '01', '00', '55 1234 5xxx', '222 123 4xxx' ],
	RU => [ 7, '8', '810', '912 345 6xxx', '495 123 4xxx' ],
	HU => [ 36, '06', '00', '1 234 5xxx', '20 123 4xxx' ],
	AU => [ 61, '0', '0011', '2 9374 4xxx', '412 345 xxx' ],
	JP => [ 81, '0', '010', '3 1234 5xxx', '90 1234 5xxx' ],
	SG => [ 65, '', '000', '6521 8xxx', '8123 4xxx' ],
	IN => [ 91, '0', '00', '98765 43xxx', '22 2345 6xxx' ],
	CH => [ 41, '0', '00', '44 668 18xx', '78 123 4xxx' ],
	CI => [ 225, '', '00', '01 02 03 4xxx', '27 20 12 3xxx' ],
	DK => [ 45, '', '00', '32 12 3x xx' ],
	ES => [ 34, '', '00', '612 345 xxx', '912 345 xxx' ],
	PL => [ 48, '', '00', '512 345 xxx' ],
	ZA => [ 27, '0', '00', '71 123 4xxx' ],
	CN => [ 86, '0', '00', '131 2345 6xxx', '10 1234 5xxx' ],
	NZ => [ 64, '0', '00', '21 123 4xxx', '3 234 5xxx' ],
	SM => [ 378, '', '00', '66 66 12 xx' ],
);

my @domains = ('example.com', 'mail.acme.co.uk', 'acme.com', "b\x{fc}cher.example", "\x{4f8b}\x{3048}.example",
	'gmail.com', 'googlemail.com', 'icloud.com', 'me.com', 'mac.com', 'proton.me', 'protonmail.com', 'pm.me', 'outlook.com',
	'fastmail.fm', 'xn--mnchen-3ya.example', "stra\x{df}e.example", 'a-b.c_d.example');
my %ascii = ("b\x{fc}cher.example" => 'xn--bcher-kva.example', "\x{4f8b}\x{3048}.example" => 'xn--r8jz45g.example',
	"stra\x{df}e.example" => 'xn--strae-oqa.example', 'xn--mnchen-3ya.example' => "m\x{fc}nchen.example");
my %same = ('gmail.com' => [ 'gmail.com', 'googlemail.com' ], 'icloud.com' => [ 'icloud.com', 'me.com', 'mac.com' ],
	'proton.me' => [ 'proton.me', 'protonmail.com', 'pm.me' ]);
for my $all (values %same) { $same{$_} = $all for @$all }
my %tagged = map { $_ => 1 } (keys %same, 'outlook.com', 'fastmail.fm');

sub pick { return $_[ rand @_ ] }
sub maybe { return rand() < $_[0] }

# Case at random; ASCII and Latin letters.
sub any_case { return join '', map { maybe(0.3) ? (length(uc) == 1 ? uc : $_) : $_ } split //, $_[0] }

# Blanks and invisible characters around, and invisible ones within.
sub disguised
{
	my ($text) = @_;
	my @invisible = ("\x{200b}", "\x{ad}", "\x{feff}", "\x{200e}", "\x{2060}", "\x{fe0f}");

	substr($text, 1 + int rand(length($text) - 1), 0) = pick(@invisible) if maybe(0.1) && length $text > 1;
	$text = pick(' ', "\t", "\x{a0}", "\x{3000}", "\n", "\x{200b}") . $text if maybe(0.1);
	$text .= pick(' ', "\x{a0}", "\x{202c}", "\r\n", "\x{2003}") if maybe(0.1);
	return $text;
}

# ASCII characters as their fullwidth forms.
sub wide { return $_[0] =~ tr/!-~/\x{ff01}-\x{ff5e}/r }

# ----- numbers -----

# Groups of digits with punctuation between them.
sub punctuated
{
	my ($groups) = @_;
	my $separator = pick(' ', '-', '.', '', "\x{a0}", "\x{2013}", ' - ', "\x{2011}");
	my @groups = split ' ', $groups;

	$groups[0] = "($groups[0])" if @groups > 1 && $groups[0] !~ /^0/ && maybe(0.2);
	return join $separator, @groups;
}

# Digits of other scripts.
sub foreign_digits
{
	my ($text) = @_;

	return wide($text) if maybe(0.5);
	return pick(sub { $_[0] =~ tr/0-9/\x{660}-\x{669}/r }, sub { $_[0] =~ tr/0-9/\x{966}-\x{96f}/r },
		sub { $_[0] =~ tr/0-9/\x{6f0}-\x{6f9}/r })->($text);
}

# How a number is written: text, and whether it is national or has its calling code.
sub number_spelling
{
	my ($region, $groups) = @_;
	my ($code, $trunk, $exit) = @{ $countries{$region} };
	my $text = punctuated($groups);
	my $form = pick(qw(plus plus plus digits zeros national national bare exit doubled uri chat link));

	$text = "+$code " . (maybe(0.15) && $trunk eq '0' ? "(0)" : '') . $text if $form eq 'plus';
	$text = "$code" . pick('', ' ', '-') . $text if $form eq 'digits';
	$text = "00$code " . $text if $form eq 'zeros';
	$text = "$exit $code " . $text if $form eq 'exit';
	$text = "+00$code " . $text if $form eq 'doubled';
	if ($form eq 'national')
	{
		# Argentina's 9 is 15 behind the area code there.
		$text = $region eq 'AR' && $groups =~ /^9 (\d+) (.*)/ ? "0$1 15 " . punctuated($2) : "$trunk$text";
	}
	(my $digits = "$code$groups") =~ s/ //g;
	$text = pick('tel:+', 'tel:%2B', 'sms:+', 'whatsapp:+', 'TEL:+', 'callto:+') . $digits . pick('', '', ';ext=12') if $form eq 'uri';
	$text = $digits . pick('@c.us', '@s.whatsapp.net', ':3@s.whatsapp.net') if $form eq 'chat';
	$text = pick('https://wa.me/', 'wa.me/', 'https://api.whatsapp.com/send?phone=') . $digits if $form eq 'link';
	return ($text, $form) if $form =~ /uri|chat|link/;
	$text .= pick(' ext. 12', ' x12', ' #12', ';ext=12', ' ext 12') if maybe(0.1);
	$text = foreign_digits($text) if maybe(0.1) && $text !~ /x|#/;
	return (disguised($text), $form);
}

sub number_case
{
	my $region = pick(sort keys %countries);
	my ($code, $trunk, $exit, @numbers) = @{ $countries{$region} };
	my $groups = pick(@numbers) =~ s/x/int rand 10/ger;
	my $other = $groups;
	my @types = ('phone', 'sms', 'whatsapp', 'Phone', 'WhatsApp ', 'mobile', undef);

	# Numbers that are written in two ways.
	$other =~ s/^(\d\d) 9 /$1 / if $region eq 'BR';
	$other = $groups =~ /^9 / ? $groups =~ s/^9 //r : "9 $groups" if $region eq 'AR';
	$other = "1 $groups" if $region eq 'MX';
	($groups, $other) = ($other, $groups) if maybe(0.5);
	$other = $groups if maybe(0.5);

	my ($contact, $contact_form) = number_spelling($region, $groups);
	my ($entry, $entry_form) = number_spelling($region, $other);
	# The national form of another country would be another number.
	my $default = pick(undef, undef, $region, $region, $entry_form =~ /plus|uri|chat|link/ ? 'FR' : ());
	my $country = pick(undef, $region, $region);

	# A list whose numbers have their calling codes can have others, too.
	my $international = maybe(0.3) ? 't' : 'f';
	return [ $contact, pick(@types), $country, $entry, pick(@types), $default, $international ];
}

# ----- emails -----

sub email_spelling
{
	my ($local, $domain, $tag) = @_;
	my $name = $same{$domain} ? pick(@{ $same{$domain} }) : $domain;
	my $address;

	$local =~ s/(?<=\w)(?=\w)/maybe(0.2) ? '.' : ''/ge if $name =~ /^g/;
	$local .= pick('+news', '+a+b', '+') if $tag && maybe(0.3);
	$name = $ascii{$name} if $ascii{$name} && maybe(0.5);
	$address = any_case($local) . '@' . ($name =~ /\x{df}/ ? $name : any_case($name));
	$address .= '.' if maybe(0.05);
	return pick(sub { wide($_[0]) }, sub { qq{"$local"\@$name} }, sub { "mailto:$_[0]?subject=x" }, sub { "<$_[0]>" },
		sub { qq{"Doe, J." <$_[0]>} }, sub { "J. Doe <mailto:$_[0]>" }, sub { "$_[0] (work)" }, sub { "'$_[0]'" },
		sub { "$_[0];" }, sub { "mailto:" . $_[0] =~ s/\@/%40/r }, sub { "\x{201c}$_[0]\x{201d}" }, sub { "\x{300c}$_[0]\x{300d}" })->($address) if maybe(0.3);
	return disguised($address);
}

sub email_case
{
	my $domain = pick(@domains);
	my $local = pick('bob', 'j.doe', "jos\x{e9}", 'a_b-c', 'x', 'firstname.lastname', "\x{436}\x{443}\x{43a}", "o'brien", 'a{b}c=d');
	# With dots that do not count, none is kept.
	$local =~ tr/.//d if $domain =~ /^g/;
	my @types = ('email', 'Email', 'EMAIL', 'e-mail', undef);
	my $contact = email_spelling($local, $domain, 1);
	my $entry = email_spelling($local, $domain, $tagged{$domain});
	my $entry_type = pick(@types);

	# An entry for all of the domain, or of one above it.
	if (maybe(0.2))
	{
		my $name = $ascii{$domain} && maybe(0.5) ? $ascii{$domain} : $domain;

		$name =~ s/^[^.]+\.(?=.*\.)// if maybe(0.3);
		$name = pick(@{ $same{$domain} }) if $same{$domain};
		{
			$entry_type = pick('domain', 'Domain', 'email');
			$entry = disguised(pick("\@$name", "*\@$name", $entry_type =~ /^d/i ? ($name, "*.$name", "$name.", "https://www.$name/") : $name));
		}
	}
	return [ $contact, pick(@types), undef, $entry, $entry_type, pick(undef, 'DE'), 'f' ];
}

# ----- profiles and chats -----

sub profile_spelling
{
	my ($slug) = @_;
	my $encoded = maybe(0.5) ? $slug : join '', map { ord > 127 ? map { sprintf '%%%02X', ord } split //, Encode::encode('UTF-8', $_) : $_ } split //, $slug;
	my $path = any_case('in') . '/' . ($encoded =~ /%/ ? $encoded : any_case($encoded));

	return disguised(pick(
			"https://www.linkedin.com/$path", "http://linkedin.com/$path/", "www.linkedin.com/$path?trk=x", "https://UK.linkedin.com/$path/en",
			"de.linkedin.com/$path/#about", "https://m.linkedin.com/mwlite/$path", $path, "/$path/", "https://www.linkedin.com/$path/detail/contact-info/",
			"https://www.linkedin.com:443//$path", "linkedin.com./$path?", "https://www.linkedin.cn/$path"));
}

sub profile_case
{
	my $slug = pick('person-2', "jos\x{e9}-x", 'bob', 'a-b-123456', "\x{4f8b}-1");
	my @types = ('linkedin', 'LinkedIn', 'LINKEDIN', 'profile', undef);

	return [ profile_spelling($slug), pick(@types), undef, maybe(0.1) ? (any_case($slug), 'linkedin') : (profile_spelling($slug), pick(@types)), undef, 'f' ]
	  if maybe(0.7);
	# With something around the entry, or behind it.
	my $entry = "https://www.linkedin.com/in/$slug";
	$entry = pick(sub { "<$_[0]>" }, sub { qq{"$_[0]"} }, sub { "LinkedIn: $_[0]" }, sub { "Bob $_[0]" }, sub { "[Bob]($_[0])" }, sub { "https://$_[0]" },
		sub { "https://www.linkedin.com/in/$_[0]" }, sub { "$_[0]." }, sub { "$_[0]!" }, sub { "$_[0]&trk=x" }, sub { "$_[0]\x{201d}" }, sub { "$_[0] (left)" })->($entry);
	return [ profile_spelling($slug), pick(@types), undef, $entry, pick(@types), undef, 'f' ];
}

sub chat_case
{
	my $visitor = pick('VISITOR-1', 'v.2', "\x{e9}3", '550e8400-e29b-41d4-a716-446655440000', 'bob@example.com', '15550000003');

	return [ pick('', ' ', "\x{a0}") . $visitor, pick('web_chat', 'WEB_CHAT', undef), undef, $visitor . pick('', ' ', "\n"), 'web_chat', undef, 'f' ];
}

# Gives a number of cases: contact, its type and country; an entry, its type, the
# list's default country, and whether its digits are international.
sub cases
{
	my ($count, $seed) = @_;

	require Encode;
	srand($seed);
	return map { pick(\&number_case, \&number_case, \&number_case, \&email_case, \&email_case, \&profile_case, \&chat_case)->() } 1 .. $count;
}

1;
