import type { PageTexts } from 'oidc-provider-ciba';

/** The page in a language that is written from right to left. */
export const ARABIC: Partial<PageTexts> = {
  title: 'طلب لك',
  asks: '{client} يطلب منك',
  question: 'هل توافق؟',
  wants: 'يريد أن',
  scopes: { openid: 'يعرف أنك أنت', profile: 'يرى اسمك' },
  resources: 'للاستخدام في',
  timeLeft: 'بقيت {minutes} دقائق لتقرر، حتى {time} UTC',
  number: 'الرقم على الشاشة الأخرى',
  numberHint: 'رقمان يظهران حيث بدأت هذا.',
  approve: 'موافقة',
  deny: 'رفض',
  report: 'لم أبدأ هذا',
  reportHint: 'يرفض الطلب ويحظر {client} لديك.',
  approvedTitle: 'تمت الموافقة',
  approved: 'يمكنك إغلاق هذه الصفحة والمتابعة حيث بدأت.',
  used: 'تم استخدام هذا الرابط.',
};
